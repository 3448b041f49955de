//! The SCIM endpoint beside two by other authors: the same client, the same requests, one run; prints a table and what was expected.
//!
//! From the root of the repository: `cargo run --release -p bench --bin bench-endpoint`. It builds `lockstep` and installs the others
//! below `.prove`. `--sizes 1000,20000` (default); `--million` adds 1,000,000 users and a group of 100,000 for ours;
//! `--only NAME` (may be repeated); `--seconds 2` for each half of a step; `--binary PATH` instead of building ours.

use std::path::PathBuf;
use std::time::Duration;

use bench::Result;
use bench::contenders::{Contender, Programs, Running};
use bench::report::{self, Outcomes};
use bench::steps::{Plan, Trial};

const MILLION: usize = 1_000_000;
const GROUPS: [usize; 4] = [10, 1_000, 20_000, 100_000];

struct Arguments {
    sizes: Vec<usize>,
    contenders: Vec<Contender>,
    span: Duration,
    binary: Option<PathBuf>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let programs = Programs::prepare(arguments.binary.clone(), &arguments.contenders)?;
    let mut outcomes = Outcomes::new();
    for size in &arguments.sizes {
        for contender in &arguments.contenders {
            // The others hold everything in memory and read all of it for a page.
            if *contender == Contender::Lockstep || *size < MILLION {
                eprintln!("{} with {size} users", contender.name());
                let outcome = measure(*contender, *size, &programs, arguments.span).await?;
                outcomes.insert((*size, *contender), outcome);
            }
        }
    }
    println!("{}", report::tables(&outcomes));
    let expected = report::expectations(&outcomes);
    for (what, holds) in &expected {
        println!("- {}: {what}", if *holds { "ok" } else { "missed" });
    }
    let missed = expected.iter().filter(|(_, holds)| !holds).count();
    if missed > 0 {
        return Err(format!("{missed} of {} expectations missed", expected.len()).into());
    }
    Ok(())
}

async fn measure(
    contender: Contender,
    users: usize,
    programs: &Programs,
    span: Duration,
) -> Result<bench::steps::Outcome> {
    let running = Running::start(contender, programs).await?;
    let groups = GROUPS.into_iter().filter(|size| *size <= users).collect();
    let mut trial = Trial::new(&running, &Plan { users, groups, span }).await?;
    if contender == Contender::Lockstep {
        trial.page_of_a_billion().await?;
        trial.constant("/healthz").await;
    }
    trial.run().await
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut found = Self {
            sizes: vec![1_000, 20_000],
            contenders: vec![],
            span: Duration::from_secs(2),
            binary: None,
        };
        let mut million = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--million" => million = true,
                "--sizes" => {
                    found.sizes =
                        value()?.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
                }
                "--seconds" => found.span = Duration::from_secs(value()?.parse()?),
                "--binary" => found.binary = Some(PathBuf::from(value()?)),
                "--only" => {
                    let name = value()?;
                    let known = Contender::ALL.into_iter().find(|contender| contender.name() == name);
                    found.contenders.push(known.ok_or_else(|| format!("there is no '{name}'"))?);
                }
                _ => return Err(format!("unknown argument '{word}'").into()),
            }
        }
        if found.contenders.is_empty() {
            found.contenders = Contender::ALL.to_vec();
        }
        if million {
            found.sizes.push(MILLION);
        }
        found.sizes.sort_unstable();
        Ok(found)
    }
}
