//! Runs the fuzz targets with generated and mutated inputs on any toolchain; a crash keeps its input, and the run goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use targets::mutate::Mutator;
use targets::random::Random;
use targets::slowest::Slowest;
use targets::{ALL, Target};

/// That of the product: what takes long here takes long there.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "fuzz-run [--inputs N] [--seed S] [--target NAME] [--corpus FOLDER] [--crashes FOLDER] [--limit-ms N]
fuzz-run --sentences N FOLDER       writes sentences of each grammar to FOLDER/NAME, as seeds for another fuzzer
fuzz-run --large BYTES [--limit-ms N]   times requests with bodies of that size and many shapes; more than N ms for an error fails
fuzz-run --replay FILE --target NAME";
/// Crashes of one target after which it is given up.
const CRASHES_MAX: usize = 20;
/// How often a large request is timed; the shortest time counts.
const LARGE_RUNS: usize = 3;
/// Half of what a worker thread of the product has.
const STACK_BYTES: usize = 1024 * 1024;

struct Options {
    inputs: usize,
    seed: u64,
    target: Option<String>,
    corpus: PathBuf,
    crashes: PathBuf,
    limit: Duration,
    sentences: Option<(usize, PathBuf)>,
    replay: Option<PathBuf>,
    large: Option<usize>,
}

/// What became of one target.
struct Report {
    inputs: usize,
    crashes: usize,
    slowest: Slowest,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || work(&options))
        .map_err(|error| error.to_string())
        .and_then(|thread| thread.join().unwrap_or_else(|_| Err("the run itself panicked".to_owned())));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
fn work(options: &Options) -> Result<bool, String> {
    let chosen: Vec<Target> = ALL
        .into_iter()
        .filter(|target| options.target.as_deref().is_none_or(|name| name == target.name))
        .collect();
    if chosen.is_empty() {
        return Err(format!(
            "there is no such target; these exist: {}",
            ALL.map(|target| target.name).join(" ")
        ));
    }
    if let Some((count, folder)) = &options.sentences {
        chosen.iter().try_for_each(|target| write_sentences(target, *count, folder))?;
        return Ok(true);
    }
    if let Some(file) = &options.replay {
        let input = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let target = chosen.first().ok_or("name a target")?;
        let mut slowest = Slowest::default();
        slowest.measure(&clock(), &input, target.run);
        println!("{}: {} bytes hold, {}", target.name, input.len(), millis(slowest.nanos));
        return Ok(Duration::from_nanos(slowest.nanos) < options.limit);
    }
    if let Some(bytes) = options.large {
        return Ok(large(bytes, options.limit));
    }
    let mut held = true;
    for target in chosen {
        let started = clock();
        let report = drive(&target, options)?;
        let seconds = Duration::from_nanos(started()).as_secs_f64();
        let (Report { inputs, crashes, slowest }, name) = (report, target.name);
        let rate = inputs as f64 / seconds.max(0.001);
        println!(
            "{name:<12} {inputs:>8} inputs, {rate:>8.0} exec/s, crashes {crashes}, slowest {} ({} bytes)",
            millis(slowest.nanos),
            slowest.input.len()
        );
        let fast = Duration::from_nanos(slowest.nanos) < options.limit;
        if !fast {
            let file = keep(options, name, "slow", &slowest.input)?;
            println!("{name}: slower than {:?}; the input is {}", options.limit, file.display());
        }
        held &= crashes == 0 && fast;
    }
    Ok(held)
}

/// Times large requests; whether each that is refused is refused in time.
fn large(bytes: usize, limit: Duration) -> bool {
    let clock = clock();
    let (mut count, mut slowest) = (0, (0, String::new()));
    for (name, input) in targets::large::bodies(bytes) {
        let runs = [(); LARGE_RUNS].map(|()| targets::request::time(&clock, &input));
        let (nanos, status) = runs.into_iter().min().unwrap_or_default();
        println!("{name:<28} {:>8} bytes  {status}  {:>12}", input.len(), millis(nanos));
        count += 1;
        if status >= 400 && nanos > slowest.0 {
            slowest = (nanos, name);
        }
    }
    let (nanos, name) = slowest;
    println!("{count} bodies of about {bytes} bytes, slowest refusal {} ({name})", millis(nanos));
    Duration::from_nanos(nanos) < limit
}

fn drive(target: &Target, options: &Options) -> Result<Report, String> {
    let corpus = read_corpus(&options.corpus.join(target.name))?;
    let mut report = Report { inputs: 0, crashes: 0, slowest: Slowest::default() };
    // Each target gets inputs of its own from the same seed.
    let own =
        target.name.bytes().fold(options.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut mutator = Mutator::new(&corpus, target.grammar, own);
    let clock = clock();
    while report.inputs < options.inputs && report.crashes < CRASHES_MAX {
        let input = corpus.get(report.inputs).cloned().unwrap_or_else(|| mutator.input());
        report.inputs += 1;
        let slowest = &mut report.slowest;
        if catch_unwind(AssertUnwindSafe(|| slowest.measure(&clock, &input, target.run))).is_err() {
            report.crashes += 1;
            let file = keep(options, target.name, "crash", &input)?;
            println!("{}: crash; the input is {}", target.name, file.display());
        }
    }
    Ok(report)
}

/// The seeds of a target, in the order of their names.
fn read_corpus(folder: &Path) -> Result<Vec<Vec<u8>>, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(problem)?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(problem)?;
    files.sort();
    files.into_iter().map(|file| std::fs::read(&file).map_err(problem)).collect()
}

/// Writes an input that broke something to a file named after it.
fn keep(options: &Options, target: &str, kind: &str, input: &[u8]) -> Result<PathBuf, String> {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let file = options.crashes.join(format!("{kind}-{target}-{hash:016x}"));
    std::fs::create_dir_all(&options.crashes)
        .and_then(|()| std::fs::write(&file, input))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn write_sentences(target: &Target, count: usize, folder: &Path) -> Result<(), String> {
    let folder = folder.join(target.name);
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(problem)?;
    let mut random = Random::new(1);
    for index in 0..count {
        std::fs::write(folder.join(format!("sentence-{index:04}")), target.grammar.sentence(&mut random))
            .map_err(problem)?;
    }
    Ok(())
}

/// Nanoseconds since it was made.
fn clock() -> impl Fn() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this program measures how long real inputs take")]
    let started = Instant::now();
    move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn millis(nanos: u64) -> String {
    format!("{:.3} ms", Duration::from_nanos(nanos).as_secs_f64() * 1_000.0)
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        inputs: 20_000,
        seed: 1,
        target: None,
        corpus: "fuzz/corpus".into(),
        crashes: ".prove/fuzz/crashes".into(),
        limit: Duration::from_millis(10),
        sentences: None,
        replay: None,
        large: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--inputs" => {
                options.inputs = usize::try_from(number(value()?)?).map_err(|error| error.to_string())?
            }
            "--seed" => options.seed = number(value()?)?,
            "--target" => options.target = Some(value()?),
            "--corpus" => options.corpus = value()?.into(),
            "--crashes" => options.crashes = value()?.into(),
            "--limit-ms" => options.limit = Duration::from_millis(number(value()?)?),
            "--sentences" => {
                let count = usize::try_from(number(value()?)?).map_err(|error| error.to_string())?;
                options.sentences = Some((count, value()?.into()));
            }
            "--large" => {
                options.large = Some(usize::try_from(number(value()?)?).map_err(|error| error.to_string())?)
            }
            "--replay" => options.replay = Some(value()?.into()),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(options)
}
