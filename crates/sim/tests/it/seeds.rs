//! Seeds of the whole world.

use std::sync::OnceLock;

use sim::{Mutant, Options, Report, run, sweep};

const SEEDS: std::ops::Range<u64> = 0..50;

fn fifty() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| Report { seeds: SEEDS.map(|seed| run(seed, Options::default())).collect() })
}

#[test]
fn fifty_seeds_with_faults_and_crashes_violate_nothing() {
    let report = fifty();
    println!("{report}");
    assert!(report.violations().is_empty(), "{report}");
    assert!(report.median(|seed| seed.users) >= 5 && report.median(|seed| seed.groups) >= 2, "{report}");
    let kinds = [
        "commit-then-5xx",
        "connection-refused",
        "crash",
        "crash-request-lands",
        "crash-request-lost",
        "down",
        "hand-edit",
        "late-delivery",
        "lost-answer-after",
        "lost-answer-before",
        "read-5xx",
        "read-lost",
    ];
    let faults = report.faults();
    for kind in kinds {
        assert!(faults.get(kind).is_some_and(|count| *count >= 50), "{kind} is too rare: {report}");
    }
}

#[test]
fn equal_seeds_give_equal_traces() {
    for first in &fifty().seeds {
        let again = run(first.seed, Options::default());
        assert_eq!(first.hash, again.hash, "seed {}", first.seed);
    }
    assert_ne!(fifty().seeds[0].hash, fifty().seeds[1].hash);
}

#[test]
fn a_crash_after_every_durable_write_of_a_small_world_violates_nothing() {
    let mut runs = 0;
    for seed in 100..103 {
        let report = sweep(seed);
        assert!(report.violations().is_empty(), "{report}");
        assert!(report.seeds.iter().skip(1).all(|run| run.crashes == 1), "{report}");
        runs += report.seeds.len();
    }
    println!("{runs} runs, each with a crash after another durable write");
    assert!(runs > 100, "{runs}");
}

/// The checks notice it when memberships do not wait for their accounts.
#[test]
fn memberships_that_do_not_wait_are_caught() {
    let report = mutants(Mutant::MembersDoNotWait);
    let violations = report.violations();
    assert!(violations.iter().any(|(_, text)| text.starts_with("I8")), "{report}");
    assert!(violations.iter().any(|(_, text)| text.starts_with("I3")), "{report}");
}

/// The checks notice it when an unanswered create is sent again without a look-up.
#[test]
fn a_blind_second_post_is_caught() {
    let report = mutants(Mutant::BlindSecondPost);
    let violations = report.violations();
    assert!(violations.iter().any(|(_, text)| text.starts_with("I8")), "{report}");
    assert!(violations.iter().any(|(_, text)| text.starts_with("I1")), "{report}");
}

fn mutants(mutant: Mutant) -> Report {
    let options = Options { mutant: Some(mutant), ..Options::default() };
    let report = Report { seeds: SEEDS.map(|seed| run(seed, options)).collect() };
    println!("{mutant:?}: {report}");
    report
}
