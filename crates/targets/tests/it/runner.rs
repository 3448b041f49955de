//! The program: it is repeatable, finds what is planted, and says so with its exit code.

use std::process::{Command, Output};

use targets::mutate::Mutator;
use targets::{Grammar, find};

fn run(arguments: &[&str]) -> (Output, String) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("a crate is two folders down");
    let output = Command::new(env!("CARGO_BIN_EXE_fuzz-run"))
        .current_dir(root)
        .args(arguments)
        .output()
        .expect("it starts");
    let text = String::from_utf8(output.stdout.clone()).expect("it prints text")
        + &String::from_utf8(output.stderr.clone()).expect("it prints text");
    (output, text)
}

#[test]
fn a_run_reports_inputs_crashes_and_the_slowest_input() {
    let folder = tempfile::tempdir().unwrap();
    let crashes = folder.path().to_str().unwrap();
    let (output, text) =
        run(&["--inputs", "300", "--target", "retry_after", "--crashes", crashes, "--limit-ms", "10000"]);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("300 inputs") && text.contains("crashes 0, slowest "), "{text}");
    // Nothing is done in no time at all: such a limit is exceeded, and the input is kept.
    let (output, text) =
        run(&["--inputs", "300", "--target", "retry_after", "--crashes", crashes, "--limit-ms", "0"]);
    assert!(!output.status.success() && text.contains("slower than"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn wrong_options_are_explained() {
    for (arguments, reason) in [
        (&["--inputs", "many"][..], "many is no number"),
        (&["--target"], "--target needs a value"),
        (&["--faster"], "unknown option --faster"),
    ] {
        let (output, text) = run(arguments);
        assert!(output.status.code() == Some(2) && text.contains(reason), "{text}");
    }
    let (output, text) = run(&["--target", "nothing"]);
    assert!(!output.status.success() && text.contains("these exist: filter path"), "{text}");
}

#[test]
fn mutations_find_a_planted_fault() {
    // The fault needs a seed, a token of the grammar and a byte that is in neither.
    let broken = |data: &[u8]| {
        data.starts_with(b"Sun") && data.windows(3).any(|part| part == b"GMT") && data.contains(&b'\\')
    };
    let corpus = [b"Sun, 06 Nov 1994 08:49:37".to_vec()];
    let mut mutator = Mutator::new(&corpus, find("retry_after").unwrap().grammar, 3);
    assert!((0..20_000).any(|_| broken(&mutator.input())));
    let mut mutator = Mutator::new(&[], Grammar(&[("start", &["x"])]), 3);
    assert!(!(0..2_000).any(|_| broken(&mutator.input())), "without seeds and grammar it is not found");
}
