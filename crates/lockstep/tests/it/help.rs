//! The help: every command names an example, the overview groups all of them, and no output has colours unasked.

use crate::bench::{Folder, Simulated, with_app};

/// Command names below `path`, as its help lists them.
fn subcommands(folder: &Folder, path: &[&str]) -> Vec<String> {
    let help = folder.ok(&[path, &["-h"]].concat()).out;
    let Some((_, list)) = help.split_once("Commands:\n") else { return vec![] };
    list.lines()
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_has_an_example_of_itself() {
    let folder = Folder::new();
    let overview = folder.ok(&["--help"]).out;
    let top: Vec<String> = overview
        .lines()
        .skip_while(|line| !line.starts_with("Start here"))
        .take_while(|line| !line.starts_with('`'))
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(top.len() >= 17, "{top:?}");
    let mut seen = 0;
    let mut open: Vec<Vec<String>> = top.into_iter().map(|name| vec![name]).collect();
    while let Some(path) = open.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let below = subcommands(&folder, &words);
        if below.is_empty() {
            let help = folder.ok(&[words.as_slice(), &["--help"]].concat()).out;
            assert!(
                help.contains(&format!("lockstep {}", path.join(" "))) && help.contains("Example"),
                "{path:?}:\n{help}"
            );
            seen += 1;
        }
        open.extend(below.into_iter().map(|name| [path.clone(), vec![name]].concat()));
    }
    assert!(seen >= 40, "{seen} commands");
}

#[test]
fn the_help_names_every_exit_code_and_the_version_is_shown() {
    let folder = Folder::new();
    let help = folder.ok(&["--help"]).out;
    for code in 0..=5 {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code}  "))), "{code}: {help}");
    }
    assert_eq!(folder.ok(&["--version"]).out, format!("lockstep {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn output_that_is_not_for_a_terminal_has_no_escape_sequences() {
    let app = Simulated::start();
    let folder = with_app(&app);
    for arguments in [
        &["plan", "crm"][..],
        &["sync"],
        &["status"],
        &["app", "show", "crm"],
        &["app", "mapping", "show", "crm"],
        &["app", "mapping", "crm", "--user", "ada@acme.example"],
        &["app", "assignments", "crm"],
        &["push-group", "list", "crm"],
        &["why", "ada@acme.example", "--app", "crm"],
        &["user", "show", "ada@acme.example"],
        &["group", "show", "Everyone"],
        &["provision", "user", "ada@acme.example", "--app", "crm"],
        &["provision", "group", "Everyone", "--app", "crm"],
        &["log", "audit"],
        &["tasks"],
        &["--help"],
    ] {
        let said = folder.ok(arguments);
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{arguments:?}: {said:?}");
        assert!(!said.out.is_empty(), "{arguments:?}");
        if arguments[0] != "--help" {
            folder.ok(&[arguments, &["-o", "json"]].concat()).json();
        }
    }
}
