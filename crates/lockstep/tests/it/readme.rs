//! The README and the pages it leads to against the binary: the demo's output, the commands, the exit codes.

use std::path::{Path, PathBuf};

use crate::bench::Folder;

const BEGIN: &str = "<!-- demo-output:begin -->";
const END: &str = "<!-- demo-output:end -->";

/// Times, ids, ports, the folder and the numbers of requests and audit entries differ from run to run; everything else must be what is shown.
#[test]
fn the_readme_shows_what_the_demo_prints() {
    let printed = Folder::new().ok(&["demo", "--once"]).out;
    let readme = read("README.md");
    let shown = between(&readme, BEGIN, END);
    let shown = shown.trim().trim_start_matches("```text").trim_matches('`');
    let (real, shown) = (normalised(&printed), normalised(shown));
    let first = (0..real.len().max(shown.len())).find(|at| real.get(*at) != shown.get(*at));
    if let Some(at) = first {
        panic!(
            "README.md shows another demo than this one, first in line {}:\n  README: {:?}\n  demo:   {:?}\nPut this between the marks:\n\n{printed}",
            at + 1,
            shown.get(at),
            real.get(at)
        );
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_out_and_nothing_else() {
    let one = "\
Everything is in /a/lockstep-demo-1
A simulated SCIM app listens on http://127.0.0.1:39001/scim/v2
USERS  REQUESTS   TIME  DIFFERENCES
  220      1234  1.2 s            0
repaired: it was created again with 9 members, 7 requests
1045 entries: as they were sealed
found:    by 'app compare' 2 differences: user B (missing), group A (member missing)
request 1: POST /scim/v2/Users -> 201  (her account)
request 2: PATCH /scim/v2/Groups/g-000007 -> 200
2026-11-22 03:20:55  cli:root  user.create  id=u-000001  0193a1b2-0000-7abc-8def-0123456789ab
";
    let other = "\
Everything is in /somewhere/else
A simulated SCIM app listens on http://127.0.0.1:1/scim/v2

USERS  REQUESTS  TIME  DIFFERENCES
220  99  12.34 s  0
repaired: it was created again with 9 members, 11 requests
1046 entries: as they were sealed
found:    by 'app compare' 2 differences: group A (member missing), user B (missing)
request 1: POST /scim/v2/Users -> 201  (her account)
request 2: PATCH /scim/v2/Groups/g-000012 -> 200
2027-01-01 13:00:00  cli:ada  user.create  id=u-000009  0193a1b2-0000-7abc-8def-ba9876543210
";
    assert_eq!(normalised(one), normalised(other));
    for (from, to) in [
        ("  0\n", "  1\n"),
        ("220", "221"),
        ("9 members", "8 members"),
        ("201", "409"),
        ("user.create", "user.delete"),
        ("user B", "user C"),
    ] {
        assert!(one.contains(from));
        assert_ne!(normalised(one), normalised(&one.replacen(from, to, 1)), "{from} -> {to}");
    }
}

#[test]
fn every_command_of_the_readme_exists() {
    let folder = Folder::new();
    let mut seen = 0;
    for line in fenced(&read("README.md")) {
        let line = line.trim().trim_start_matches("$ ");
        let words: Vec<&str> = line.split_whitespace().collect();
        let arguments = match words.as_slice() {
            ["lockstep", rest @ ..] => rest,
            ["cargo", "run", "--release", "--", rest @ ..] => rest,
            [script, ..] if script.starts_with("scripts/") => {
                seen += 1;
                assert!(root().join(script).is_file(), "{line}");
                continue;
            }
            _ => continue,
        };
        seen += 1;
        let Some(command) = arguments.first() else { continue };
        let help = folder.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{line}: {}", help.err);
    }
    assert!(seen >= 5, "commands were read: {seen}");
}

#[test]
fn the_page_of_limits_has_every_exit_code_as_help_says_it() {
    let help = Folder::new().ok(&["--help"]).out;
    let page = read("docs/limits.md");
    let mut codes: Vec<String> = vec![];
    for line in help.split("Exit codes:").nth(1).unwrap().lines().map(str::trim) {
        match line.split_once("  ").filter(|(code, _)| code.chars().all(|letter| letter.is_ascii_digit())) {
            Some((code, text)) => codes.push(format!("| {code} | {text}")),
            // A long text goes on in the next line.
            None => codes
                .last_mut()
                .into_iter()
                .filter(|_| !line.is_empty())
                .for_each(|last| *last += &format!(" {line}")),
        }
    }
    assert!(codes.len() >= 5, "{codes:?}");
    for code in codes {
        assert!(page.contains(&format!("{code} |")), "docs/limits.md lacks this exit code: {code}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let start = text.find(begin).unwrap() + begin.len();
    &text[start..start + text[start..].find(end).unwrap()]
}

/// Lines inside of fenced blocks, the demo's output left out.
fn fenced(text: &str) -> Vec<String> {
    let without = text.replace(between(text, BEGIN, END), "");
    let mut inside = false;
    let mut lines = vec![];
    for line in without.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The lines that say something, with one space between words and signs in place of what differs from run to run.
fn normalised(text: &str) -> Vec<String> {
    let mut lines: Vec<Vec<String>> = vec![];
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = words(line);
        // A row under a header: the number of requests depends on what went side by side.
        let column = lines.last().and_then(|above| above.iter().position(|word| word == "REQUESTS"));
        if let Some(cell) = column.and_then(|column| words.get_mut(column)) {
            *cell = "<n>".into();
        }
        lines.push(words);
    }
    lines.into_iter().map(|words| words.join(" ")).map(|line| in_order(&line)).collect()
}

fn words(line: &str) -> Vec<String> {
    if line.starts_with("Everything is in ") {
        return vec!["Everything is in <folder>".into()];
    }
    let raw: Vec<&str> = line.split_whitespace().collect();
    let mut words = vec![];
    let mut at = 0;
    while let Some(word) = raw.get(at) {
        let number = word.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        let next = raw.get(at + 1).map_or("", |next| next.trim_end_matches([',', '.', ')']));
        at += 1;
        match next {
            "s" if number && word.contains('.') => {
                words.push("<time>".into());
                at += 1;
            }
            "request" | "requests" | "entries:" if number => words.push("<n>".into()),
            _ => words.push(sign(word)),
        }
    }
    words
}

/// A word with signs for dates, times, accounts of the shell, ports and ids.
fn sign(word: &str) -> String {
    if word.starts_with("cli:") {
        return "cli:<user>".into();
    }
    let mut signed = String::new();
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == ':';
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
        signed.push_str(sign_of_part(&rest[..end], signed.ends_with("127.0.0.")));
        let after = rest[end..].chars().next().map_or(end, |letter| end + letter.len_utf8());
        signed.push_str(&rest[end..after]);
        rest = &rest[after..];
    }
    signed
}

fn sign_of_part(part: &str, after_loopback: bool) -> &str {
    let of = |letters: &str, allowed: fn(&char) -> bool| {
        !letters.is_empty() && letters.chars().all(|letter| allowed(&letter))
    };
    let digits = |letters: &str| of(letters, char::is_ascii_digit);
    let pieces = |mark: char, lengths: &[usize]| {
        let pieces: Vec<&str> = part.split(mark).collect();
        pieces.len() == lengths.len()
            && pieces.iter().zip(lengths).all(|(piece, length)| piece.len() == *length && digits(piece))
    };
    if after_loopback && part.starts_with("1:") {
        return "1:<port>";
    }
    if pieces('-', &[4, 2, 2]) {
        return "<date>";
    }
    if pieces(':', &[2, 2, 2]) {
        return "<time>";
    }
    let simulated = part.strip_prefix("u-").or_else(|| part.strip_prefix("g-"));
    let long = part.len() >= 12 && of(part, |letter| letter.is_ascii_hexdigit() || *letter == '-');
    if simulated.is_some_and(digits) || long && part.contains(|letter: char| letter.is_ascii_digit()) {
        return "<id>";
    }
    part
}

/// Findings come in the order of ids, which differ from run to run.
fn in_order(line: &str) -> String {
    let Some((head, list)) = line.split_once("differences: ").filter(|(head, _)| head.starts_with("found:"))
    else {
        return line.to_owned();
    };
    let mut items: Vec<&str> = list.split(", ").collect();
    items.sort_unstable();
    format!("{head}differences: {}", items.join(", "))
}
