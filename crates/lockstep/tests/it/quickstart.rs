//! Runs every block of docs/quickstart.md as it stands there, in order, and compares what the page shows.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::bench::{Folder, Said, binary, said};

const PAGE: &str = include_str!("../../../../docs/quickstart.md");

/// A block of the page: its language and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![];
    let mut open = false;
    for line in PAGE.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(language), false) => {
                open = true;
                blocks.push(Block { language: language.to_owned(), lines: vec![] });
            }
            (None, true) => blocks.last_mut().unwrap().lines.push(line.to_owned()),
            (None, false) => {}
        }
    }
    blocks
}

/// Kills what a page started in the background, also when a test fails.
struct Background(Vec<Child>);

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn shell(folder: &Folder, script: &str) -> Command {
    let path =
        std::env::join_paths([binary().parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(folder.path()).env_clear().env("PATH", path);
    command.stdin(Stdio::null());
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn every_block_of_the_quickstart_does_what_it_shows() {
    let (folder, port) = (Folder::new(), free_port());
    let mut background = Background(vec![]);
    let mut commands = 0;
    for block in blocks() {
        let text = block.lines.join("\n").replace("8990", &port.to_string());
        match block.language.as_str() {
            "sh" => {
                said(&mut shell(&folder, &text)).ends(0);
            }
            "console" => {
                for (command, shown) in steps(&text) {
                    commands += 1;
                    match command.strip_suffix(" &") {
                        Some(command) => {
                            let mut child = shell(&folder, &format!("exec {command}"));
                            background.0.push(child.stdout(Stdio::null()).spawn().unwrap());
                            wait_for(port);
                        }
                        None => check(&command, &said(&mut shell(&folder, &command)), &shown),
                    }
                }
            }
            other => panic!("a block of language '{other}' is not run; use sh or console"),
        }
    }
    assert!(commands >= 15, "the page lost its commands: {commands}");
}

/// The commands of a console block, each with the lines shown below it.
fn steps(text: &str) -> Vec<(String, Vec<String>)> {
    let mut steps: Vec<(String, Vec<String>)> = vec![];
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), vec![])),
            (None, Some((_, shown))) => shown.push(line.to_owned()),
            (None, None) => panic!("output before a command: {line}"),
        }
    }
    steps
}

/// Every shown line is in the output, in order; `...` stands for any text.
#[track_caller]
fn check(command: &str, said: &Said, shown: &[String]) {
    assert_eq!(said.code, 0, "$ {command}\n{}{}", said.out, said.err);
    let mut rest = said.out.lines();
    for wanted in shown.iter().filter(|line| !line.is_empty()) {
        let found = rest.any(|line| fits(line, wanted));
        assert!(found, "$ {command}\nlacks: {wanted}\noutput:\n{}", said.out);
    }
}

/// Runs of blanks are equal: the width of a column depends on its content.
fn fits(line: &str, wanted: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (line, wanted) = (squeeze(line), squeeze(wanted));
    if !wanted.contains("...") {
        return line == wanted || line.trim_end() == wanted;
    }
    let mut rest = line.as_str();
    let parts: Vec<&str> = wanted.split("...").map(str::trim).collect();
    parts.iter().enumerate().all(|(number, part)| match rest.find(part) {
        Some(at) if number > 0 || at == 0 => {
            rest = &rest[at + part.len()..];
            true
        }
        _ => false,
    })
}

fn wait_for(port: u16) {
    for _ in 0..2_000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("nothing listens on {port}");
}
