//! `lockstep-sim`: runs seeds of the deterministic world and prints what they came to.

use std::process::ExitCode;

use sim::{Mutant, Options, Report, run, sweep};

const USAGE: &str = "\
usage: lockstep-sim [--seeds A..B] [--mutant NAME] [--trace SEED] [--sweep A..B]

  --seeds A..B    runs the seeds from A to B, B not included (default 0..50)
  --sweep A..B    for each of these seeds, a small world once for each durable write, with a crash right after it
  --mutant NAME   switches a rule off: members-do-not-wait or blind-second-post
  --trace SEED    prints everything that happens under this seed

The exit code is 1 if something happened that may never happen.";

fn main() -> ExitCode {
    match ask(std::env::args().skip(1)) {
        Ok(report) => {
            println!("{report}");
            if report.violations().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn ask(mut words: impl Iterator<Item = String>) -> Result<Report, String> {
    let (mut seeds, mut swept, mut options, mut trace) = (0..50, None, Options::default(), None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seeds" => seeds = range(&value()?)?,
            "--sweep" => swept = Some(range(&value()?)?),
            "--mutant" => options.mutant = Some(mutant(&value()?)?),
            "--trace" => trace = Some(number(&value()?)?),
            _ => return Err(format!("there is no option {word}")),
        }
    }
    if let Some(seed) = trace {
        let report = run(seed, Options { trace: true, ..options });
        report.lines.iter().for_each(|line| println!("{line}"));
        return Ok(Report { seeds: vec![report] });
    }
    Ok(match swept {
        Some(swept) => Report { seeds: swept.flat_map(|seed| sweep(seed).seeds).collect() },
        None => Report { seeds: seeds.map(|seed| run(seed, options)).collect() },
    })
}

fn mutant(name: &str) -> Result<Mutant, String> {
    let found = Mutant::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, mutant)| *mutant).ok_or_else(|| format!("there is no mutant {name}"))
}

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text} is no range like 0..50"))?;
    Ok(number(from)?..number(to)?)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
