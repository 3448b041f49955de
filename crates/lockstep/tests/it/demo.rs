//! The demo: with `--once` it proves itself; without it, its commands can be pasted into a second terminal.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::bench::{Folder, said};

#[test]
fn demo_once_ends_with_0_and_shows_the_table_and_three_situations() {
    let folder = Folder::new();
    let out = folder.ok(&["demo", "--once"]).out;
    let header = out.lines().position(|line| line.starts_with("USERS")).expect("the table");
    let figures: Vec<&str> = out.lines().nth(header + 1).unwrap().split_whitespace().collect();
    let number = |at: usize| figures[at].parse::<usize>().unwrap();
    assert!(number(0) >= 200 && number(1) < number(0) && number(2) >= 12 && number(3) > 200, "{figures:?}");
    assert_eq!(figures.last(), Some(&"0"), "differences");
    for heading in [
        "== 1.",
        "== 2.",
        "== 3.",
        "== Why",
        "all proofs hold",
        "[membership.waits:inactive]",
        "account.create",
    ] {
        assert!(out.contains(heading), "{heading}:\n{out}");
    }
    assert!(folder.path().join("lockstep-demo-1/lockstep.db").exists());
    folder.run(&["demo", "--once", "--folder", "lockstep-demo-1"]).ends(1);
}

#[test]
fn the_commands_that_the_demo_prints_work_in_a_second_terminal_and_ctrl_c_stops_it() {
    let folder = Folder::new();
    let mut demo =
        folder.command().args(["demo", "--folder", "it's a demo"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let begin = lines.by_ref().find(|line| line.contains("In a second terminal"));
    let commands: Vec<String> = lines
        .by_ref()
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .filter(|line| !line.is_empty())
        .collect();
    let elsewhere = Folder::new();
    let mut results = vec![];
    for command in &commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(elsewhere.path()).env_remove("LOCKSTEP_DATABASE");
        results.push((command, said(&mut shell)));
    }
    let interrupted = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    let rest: Vec<String> = lines.collect();
    let ended = demo.wait().unwrap();
    assert!(begin.is_some() && commands.len() >= 8, "{commands:?}");
    for (command, said) in results {
        assert_eq!(said.code, 0, "{command}\n{}{}", said.out, said.err);
        assert!(!said.out.contains("\"error\""), "{command}\n{}", said.out);
    }
    assert!(interrupted.success() && ended.success(), "{ended:?}");
    assert_eq!(rest.last().map(String::as_str), Some("stopped"));
}
