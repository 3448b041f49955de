//! Rules that no compiler holds: who may use whom, how files begin and how long they are, what documents may name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Our crates, and which of ours each may use. A new crate gets its line here before it gets its first dependency.
const ARROWS: &[(&str, &[&str])] = &[
    ("scim", &[]),
    ("domain", &["scim"]),
    ("store", &["domain", "scim"]),
    ("engine", &["domain", "scim", "store"]),
    ("simapp", &["scim"]),
    ("sim", &["domain", "engine", "scim", "simapp", "store"]),
    ("targets", &["domain", "engine", "scim", "store", "web"]),
    ("web", &["domain", "engine", "scim", "store"]),
    ("lockstep", &["domain", "engine", "scim", "sim", "simapp", "store", "web"]),
];

/// The crates that do no I/O, and what must not reach them, not even through somebody else's crate.
const PURE: &[&str] = &["scim", "domain"];
const NOT_PURE: &[&str] =
    &["async-std", "hyper", "mio", "reqwest", "rusqlite", "socket2", "tokio", "tokio-postgres"];

/// What a crate must not name as its own dependency.
const NOT_DIRECTLY: &[(&str, &[&str])] = &[
    ("scim", &["getrandom", "jiff", "rand", "tracing", "uuid"]),
    ("domain", &["getrandom", "jiff", "rand", "tracing"]),
    ("store", &["hyper", "reqwest"]),
    ("engine", &["rusqlite", "tokio-postgres", "deadpool-postgres", "getrandom", "jiff", "clap"]),
    ("simapp", &["rusqlite", "tokio-postgres", "reqwest", "getrandom"]),
    ("sim", &["hyper", "reqwest", "tokio", "getrandom", "rusqlite"]),
    ("targets", &["hyper", "reqwest", "tokio", "getrandom", "rusqlite"]),
    ("web", &["rusqlite", "tokio-postgres", "reqwest", "getrandom", "jiff"]),
    ("lockstep", &["rusqlite", "tokio-postgres"]),
];

const LINES_MAX: usize = 500;

#[test]
fn crates_use_only_what_they_may() {
    let metadata = metadata();
    let ours: BTreeMap<String, BTreeSet<String>> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let used = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development);
            (package.name.to_string(), used.map(|dependency| dependency.name.clone()).collect())
        })
        .collect();
    assert!(ours.values().any(|used| !used.is_empty()), "the graph was read");
    report(&[wrong_arrows(&ours), direct_offences(&ours)].concat());
}

#[test]
fn nothing_that_does_io_reaches_the_pure_crates() {
    let metadata = metadata();
    for name in PURE {
        let reached = reached_by(&metadata, name);
        assert!(reached.contains("serde_json"), "the graph of {name} was read: {reached:?}");
        let offending: Vec<&&str> = NOT_PURE.iter().filter(|other| reached.contains(**other)).collect();
        assert!(offending.is_empty(), "{name} is reached by {offending:?}");
    }
    let engine = reached_by(&metadata, "engine");
    assert!(
        engine.contains("tokio") && engine.contains("rusqlite"),
        "the check sees what is there: {engine:?}"
    );
}

#[test]
fn a_wrong_arrow_would_be_found() {
    let graph = |crates: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let set = |used: &[&str]| used.iter().map(|other| (*other).to_owned()).collect();
        crates.iter().map(|(name, used)| ((*name).to_owned(), set(used))).collect()
    };
    let mut real = ARROWS.to_vec();
    assert_eq!(wrong_arrows(&graph(&real)), Vec::<String>::new());
    real[1] = ("domain", &["scim", "store"]);
    assert_eq!(wrong_arrows(&graph(&real)), ["domain must not use store"]);
    real[1] = ("console", &[]);
    assert_eq!(wrong_arrows(&graph(&real)).len(), 2, "a crate without a line, and a line without a crate");
    assert_eq!(direct_offences(&graph(&[("sim", &["tokio"])])), ["sim must not use tokio directly"]);
}

#[test]
fn source_files_keep_the_house_rules() {
    let mut problems = vec![];
    let mut seen = 0;
    for file in texts().into_iter().filter(|file| file.ends_in(&["rs", "py"])) {
        seen += 1;
        let rust = file.ends_in(&["rs"]);
        if rust && !file.text.starts_with("//! ") {
            problems.push(format!("{} does not begin with a //! sentence", file.name));
        }
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{} has {lines} lines; {LINES_MAX} are the limit", file.name));
        }
        let stem = Path::new(&file.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if ["util", "utils", "common", "helper", "helpers", "manager", "misc"].contains(&stem) {
            problems.push(format!("{} has a name that says nothing", file.name));
        }
    }
    assert!(seen > 100, "the files were read: {seen}");
    report(&problems);
}

#[test]
fn sql_stands_only_in_the_store() {
    let marks = ["SELECT", "INSERT INTO", "UPDATE", "DELETE FROM"].map(|verb| format!("\"{verb} "));
    let holds_sql = |file: &Text| marks.iter().any(|mark| file.text.contains(mark));
    let sources: Vec<Text> =
        texts().into_iter().filter(|file| file.ends_in(&["rs"]) && file.name.contains("/src/")).collect();
    assert!(sources.iter().any(|file| file.name.starts_with("crates/store/") && holds_sql(file)));
    // A measurement needs its bound beside it: the same rows without the store.
    let may = |file: &Text| file.name.starts_with("crates/store/") || file.name == "bench/src/store.rs";
    let elsewhere = sources.iter().filter(|file| !may(file) && holds_sql(file));
    report(&elsewhere.map(|file| format!("{} holds SQL", file.name)).collect::<Vec<_>>());
}

#[test]
fn architecture_names_only_what_exists_and_every_crate() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named = code_words(&text);
    let mut problems: Vec<String> = named
        .iter()
        .filter(|word| is_missing(word))
        .map(|word| format!("ARCHITECTURE.md: {word} does not exist"))
        .collect();
    let paths = named.iter().filter(|word| word.contains('/') || word.contains("::")).count();
    assert!(paths > 20, "it names places: {paths}");
    for (name, _) in ARROWS {
        if !named.contains(&(*name).to_owned()) {
            problems.push(format!("ARCHITECTURE.md does not name the crate {name}"));
        }
    }
    report(&problems);
    let wrong = ["crates/none", "engine::none", "engine::lane::none", "scripts/none"];
    assert!(wrong.iter().all(|word| is_missing(word)));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let (mut problems, mut seen) = (vec![], 0);
    for file in texts().into_iter().filter(|file| file.ends_in(&["md"])) {
        let folder = root().join(&file.name).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let place = target.split('#').next().unwrap_or_default();
            if place.is_empty()
                || place.contains("://")
                || place.starts_with("mailto:")
                || place.contains(' ')
            {
                continue;
            }
            seen += 1;
            if !folder.join(place).exists() {
                problems.push(format!("{}: {target} does not exist", file.name));
            }
        }
    }
    assert!(seen > 10, "links were read: {seen}");
    report(&problems);
}

#[test]
fn decisions_are_numbered_and_have_their_three_parts() {
    let mut names: Vec<PathBuf> = entries(&root().join("docs/decisions"));
    names.sort();
    assert!(!names.is_empty());
    let mut problems = vec![];
    for (at, path) in names.iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let text = std::fs::read_to_string(path).unwrap();
        let number = format!("{:04}", at + 1);
        if !name.starts_with(&format!("{number}-")) || !text.starts_with(&format!("# {number} ")) {
            problems.push(format!("{name}: it should be number {number}, in its name and in its title"));
        }
        for part in ["\n## Context\n", "\n## Decision\n", "\n## Consequences\n"] {
            if !text.contains(part) {
                problems.push(format!("{name} lacks the part '{}'", part.trim()));
            }
        }
    }
    report(&problems);
}

/// A clone is complete on its own: nothing in it refers to the machine it was written on, or to a place beside it.
#[test]
fn nothing_refers_to_places_outside() {
    let mut outside = vec![root()];
    // Folders that every machine has say nothing about this one.
    let everywhere =
        ["/", "/Users", "/build", "/home", "/opt", "/root", "/src", "/srv", "/tmp", "/usr/src", "/var/tmp"];
    outside.extend(
        root()
            .parent()
            .filter(|parent| !everywhere.iter().any(|known| parent == &Path::new(known)))
            .map(Path::to_path_buf),
    );
    let outside: Vec<String> = outside.iter().map(|path| format!("{}/", path.display())).collect();
    let mut problems = vec![];
    for file in texts() {
        for (number, line) in file.text.lines().enumerate() {
            let place = outside.iter().find(|place| names_place(line, place));
            if place.is_some() || climbs(line) > file.name.matches('/').count() {
                problems.push(format!(
                    "{}:{}: it leads out of the repository: {}",
                    file.name,
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    report(&problems);
    let up = "../".repeat(2);
    assert_eq!([climbs(&format!("a({up}b)")), climbs("a/.."), climbs("0..9, ...")], [2, 1, 0]);
    assert!(names_place("see /here/x", "/here/") && !names_place("see from/here/x", "/here/"));
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

// ---- the crate graph ----

fn metadata() -> Metadata {
    // Only what this platform needs is there after a build; the rest would have to be fetched.
    let version = std::process::Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked", "--filter-platform", host].map(str::to_owned))
        .exec()
        .unwrap()
}

fn wrong_arrows(ours: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut problems = vec![];
    // Measuring programs beside the crates may use anything, and nothing may use them.
    for (name, used) in ours.iter().filter(|(name, _)| *name != "bench") {
        let Some(may) = allowed.get(name.as_str()) else {
            problems.push(format!("{name} has no line in ARROWS"));
            continue;
        };
        let wrong = used.iter().filter(|other| ours.contains_key(*other) && !may.contains(&other.as_str()));
        problems.extend(wrong.map(|other| format!("{name} must not use {other}")));
    }
    let gone = allowed.keys().filter(|name| !ours.contains_key(**name));
    problems.extend(gone.map(|name| format!("{name} has a line in ARROWS and does not exist")));
    problems
}

fn direct_offences(ours: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let rules =
        NOT_DIRECTLY.iter().flat_map(|(name, others)| others.iter().map(move |other| (*name, *other)));
    rules
        .filter(|(name, other)| ours.get(*name).is_some_and(|used| used.contains(*other)))
        .map(|(name, other)| format!("{name} must not use {other} directly"))
        .collect()
}

/// Names of everything a crate of ours is built with, tests aside.
fn reached_by(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let start =
        metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name).unwrap();
    let mut todo: Vec<&PackageId> = vec![&start.id];
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| node.id == *id).unwrap();
        let normal = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        todo.extend(normal.map(|dependency| &dependency.pkg));
    }
    seen.remove(&start.id);
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

// ---- the files ----

struct Text {
    /// From the root, with slashes.
    name: String,
    text: String,
}

impl Text {
    fn ends_in(&self, endings: &[&str]) -> bool {
        let ending = Path::new(&self.name).extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| endings.contains(&ending))
    }
}

/// Every text file that belongs to the repository.
fn texts() -> Vec<Text> {
    let folders = ["bench", "crates", "docs", "examples", "fuzz/fuzz_targets", "fuzz/src", "scripts", ".ci"]
        .map(|name| root().join(name));
    let mut todo: Vec<PathBuf> = folders.into_iter().filter(|folder| folder.is_dir()).collect();
    todo.extend(entries(&root()).into_iter().filter(|path| path.is_file() && !is_made(path)));
    let mut texts = vec![];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(entries(&path).into_iter().filter(|path| !is_made(path)));
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            texts.push(Text { name, text });
        }
    }
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    texts
}

/// Made by running things, so not part of the repository.
fn is_made(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["target", "__pycache__", ".git"].contains(&name)
        || ["db", "key", "log", "db-wal", "db-shm"].contains(&ending)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What stands between single backquotes outside of fenced blocks.
fn code_words(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut words = vec![];
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            words.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    words
}

/// Whether a word looks like a path or a module of ours, and there is none.
fn is_missing(word: &str) -> bool {
    let plain =
        |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-:".contains(letter));
    if !plain(word) {
        return false;
    }
    if let Some((name, modules)) = word.split_once("::") {
        let ours = ARROWS.iter().any(|(known, _)| *known == name);
        return ours && !module_exists(&root().join("crates").join(name).join("src"), modules);
    }
    let folders = ["crates/", "docs/", "examples/", "fuzz/", "scripts/", ".ci/"];
    folders.iter().any(|folder| word.starts_with(folder)) && !root().join(word).exists()
}

fn module_exists(source: &Path, modules: &str) -> bool {
    let mut folder = source.to_path_buf();
    modules.split("::").all(|name| {
        let exists =
            folder.join(format!("{name}.rs")).is_file() || folder.join(name).join("mod.rs").is_file();
        folder.push(name);
        exists
    })
}

/// Whether a line names a place by its absolute path; the same letters inside a longer path do not count.
fn names_place(line: &str, place: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || "._-~/)}".contains(letter);
    line.match_indices(place).any(|(at, _)| !line[..at].ends_with(part))
}

/// The longest climb (`..` after `..`) in a line.
fn climbs(line: &str) -> usize {
    let separators = |letter: char| letter.is_whitespace() || "\"'`(),;:=$<>[]{}".contains(letter);
    let climb = |word: &str| {
        let parts: Vec<&str> = word.split('/').collect();
        let ups = |run: &&[&str]| run.len();
        let longest = parts.split(|part| *part != "..").max_by_key(ups).map_or(0, <[&str]>::len);
        if parts.len() > 1 { longest } else { 0 }
    };
    line.split(separators).map(climb).max().unwrap_or(0)
}
