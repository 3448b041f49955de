//! Mapping expressions: the documented examples, and hostile ones.

use std::time::{Duration, Instant};

use domain::expression::{Expression, SOURCE_CAP};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../../docs/mapping.md");

/// The user of the page, with manager and groups.
fn context() -> Value {
    let json = PAGE.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let user: Value = serde_json::from_str(json).unwrap();
    json!({"user": user, "manager": {"displayName": "Grace Hopper"}, "groups": ["Sales", "app-crm-admins"]})
}

#[test]
fn every_documented_example_gives_its_documented_result() {
    let context = context();
    let (mut examples, mut functions) = (0, std::collections::BTreeSet::new());
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| function |")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let cells: Vec<&str> = cells.iter().map(|cell| cell.trim_matches(['|', ' '])).collect();
        let (source, result) =
            (cells[cells.len() - 2].trim_matches('`'), cells[cells.len() - 1].trim_matches('`'));
        let expected: Value = serde_json::from_str(result).unwrap_or_else(|_| panic!("{row}"));
        let found = Expression::compile(source).and_then(|expression| expression.evaluate(&context));
        assert_eq!(found, Ok(expected), "{source}");
        examples += 1;
        if let Some(name) = cells[0].trim_matches('`').split('(').next().filter(|name| !name.is_empty()) {
            assert!(source.contains(name), "the example of {name} uses it");
            functions.insert(name);
        }
    }
    assert!(examples >= 36 && functions.len() >= 34, "{examples} {functions:?}");
}

fn hostile() -> Vec<(String, String)> {
    let mut sources: Vec<(String, String)> = [
        ("open brackets", "(".repeat(4_000)),
        ("lists in lists", format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000))),
        ("calls in calls", format!("{}'a'{}", "lower(".repeat(20), ")".repeat(20))),
        ("brackets at the cap", format!("{}1{}", "(".repeat(20), ")".repeat(20))),
        ("objects in objects", format!("{}1{}", "{'a':".repeat(20), "}".repeat(20))),
        ("attributes", format!("user{}", ".b".repeat(2_000))),
        ("attributes at the cap", format!("user{}", ".b".repeat(200))),
        ("subscripts", format!("user{}", "['b']".repeat(800))),
        ("not not", format!("{}true", "not ".repeat(1_000))),
        ("not at the cap", format!("{}true", "not ".repeat(200))),
        ("minus", format!("{}1", "-".repeat(4_000))),
        ("minus at the cap", format!("{}1", "-".repeat(200))),
        ("sums", format!("1{}", "+1".repeat(2_000))),
        ("sums at the cap", format!("1{}", "+1".repeat(200))),
        ("joined at the cap", format!("'a'{}", "~'a'".repeat(200))),
        ("powers", "9**9**9**9**9".to_owned()),
        ("ifs", "1 if true else ".repeat(250)),
        ("ifs at the cap", format!("{}1", "1 if false else ".repeat(10))),
        ("ifs in ifs", format!("{}1{}", "(1 if ".repeat(10), " else 2)".repeat(10))),
        ("comparisons", format!("1{}", "<2".repeat(100))),
        ("and or", format!("true{}", " and true or false".repeat(90))),
        ("repeats", "'a' * 100000000".to_owned()),
        ("repeats of repeats", "((('a' * 1000) * 1000) * 1000)".to_owned()),
        ("numbers", "9".repeat(4_000)),
        ("dots in numbers", format!("1{}", ".1".repeat(2_000))),
        ("a text never closed", format!("'{}", "a".repeat(4_000))),
        ("escapes", format!("'{}'", "\\".repeat(3_999))),
        ("marks", format!("normalize_diacritics('{}')", "\u{301}".repeat(2_000))),
        ("regrouped marks", format!("normalize_diacritics('{}')", "a\u{5b0}\u{591}".repeat(700))),
        ("statement", "{% for x in [1] %}{{ x }}{% endfor %}".to_owned()),
        ("path", format!("attribute('emails[{}')", "(".repeat(3_000))),
        ("not a path", format!("attribute('{}')", "a.".repeat(1_900))),
        ("nul", "user\0.a".to_owned()),
        ("emoji", "🦀".repeat(1_000)),
        ("numbers that do not fit", "mid('abc', 99999999999999999999999, 1)".to_owned()),
        ("negative", "left('abc', -1)".to_owned()),
        ("huge count", "left('abc', 18446744073709551615)".to_owned()),
        ("switch", format!("switch('z', 'd'{})", ",'a','b'".repeat(450))),
        ("sorts", format!("split('{}', ',')|sort{}", "b,a,".repeat(450), "|sort|unique".repeat(12))),
        ("maps", format!("split('{}', ',')|map('upper')|join|upper", ",".repeat(999))),
    ]
    .map(|(name, source)| (name.to_owned(), source))
    .into();
    // Each level multiplies the text by about 30.
    let mut blown = "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'".to_owned();
    for level in 1..=18 {
        blown = format!("replace({blown}, 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')");
        sources.push((format!("replace blow-up {level}"), blown.clone()));
    }
    let long = "a".repeat(3_000);
    sources.push(("empty replace".into(), format!("replace('{long}', '', '{}')", "b".repeat(900))));
    sources
        .push(("many cases".into(), format!("upper('ß{}'){}", "ß".repeat(900), "|upper|lower".repeat(15))));
    for token in
        ["user", "(", ")", "[", "]", "{", "}", "|", "~", "if", "else", "not", "in", ".", ",", "'", "\"", "is"]
    {
        sources.push((format!("only {token}"), format!("{token} ").repeat(SOURCE_CAP / (token.len() + 1))));
    }
    sources
}

#[test]
fn no_hostile_expression_panics_or_grows_on_half_a_mebibyte_of_stack() {
    let run = || {
        let context = context();
        let mut ended = vec![];
        for (name, source) in hostile() {
            let begun = now();
            let outcome = Expression::compile(&source).and_then(|expression| expression.evaluate(&context));
            ended.push((now().duration_since(begun), name, outcome));
        }
        ended
    };
    let ended = std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
    // A debug build on a busy machine is many times slower than what is promised of a release build.
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 10 });
    for (took, name, outcome) in &ended {
        let size = outcome.as_ref().map_or(0, |value| value.to_string().len());
        assert!(size <= domain::expression::OUTPUT_CAP + 2, "{name}: {size}");
        assert!(*took < bound, "{name} took {took:?}");
    }
    let refused = |wanted: &str| {
        let found = ended.iter().find(|(_, name, _)| name == wanted).unwrap_or_else(|| panic!("{wanted}"));
        found.2.as_ref().err().unwrap_or_else(|| panic!("{wanted} passes: {:?}", found.2)).clone()
    };
    assert!(refused("open brackets").contains("brackets"));
    assert!(refused("sums").contains("operators"));
    assert!(refused("repeats").contains('*'));
    assert!(refused("replace blow-up 3").contains("at most"));
    assert!(refused("empty replace").contains("not empty"));
    assert!(refused("path").contains("not an attribute path"));
    let passes = |wanted: &str| ended.iter().any(|(_, name, outcome)| name == wanted && outcome.is_ok());
    for wanted in
        ["brackets at the cap", "minus at the cap", "sums at the cap", "joined at the cap", "switch"]
    {
        assert!(passes(wanted), "{wanted}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the test measures how long an expression takes")]
fn now() -> Instant {
    Instant::now()
}
