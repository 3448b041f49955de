//! The dialects: every quirk's fixtures in the dialects that understand them, and what the strict one says to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use scim::dialect::{self, Tolerated, apply_patch, normalise_filter, normalise_patch, normalise_resource};
use scim::{Dialect, ResourceType, ScimError, validate};
use serde::Deserialize;
use serde_json::{Value, json};

/// A fixture file: requests that need one quirk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// `resource`, `patch` or `filter`.
    kind: String,
    /// `User` or `Group`.
    #[serde(rename = "type")]
    resource_type: String,
    /// A body, or the text of a filter.
    request: Value,
    /// What a PATCH is applied to.
    stored: Option<Value>,
    dialects: Vec<Dialect>,
    /// The normal form: a resource, a list of operations, or the text of a filter.
    normal: Value,
    /// What a PATCH makes of `stored`, or the check of a resource of it.
    result: Option<Value>,
    /// `quirk @ place`, in order.
    tolerated: Vec<String>,
    strict: Strict,
}

/// What the strict dialect says.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strict {
    /// The same result.
    Same,
    /// The RFC gives it another meaning.
    Result(Value),
    /// The beginning of the refusal.
    Refused(String),
}

/// The normal form, what becomes of it, and what was tolerated.
struct Read {
    normal: Value,
    result: Value,
    tolerated: Vec<Tolerated>,
}

fn read(case: &Case, dialect: Dialect) -> Result<Read, ScimError> {
    let rt = match case.resource_type.as_str() {
        "User" => ResourceType::user(),
        "Group" => ResourceType::group(),
        other => panic!("{}: no type {other}", case.name),
    };
    match case.kind.as_str() {
        "resource" => {
            let (normal, tolerated) = normalise_resource(&rt, dialect, &case.request)?;
            Ok(Read { result: validate(&rt, &normal)?, normal, tolerated })
        }
        "patch" => {
            let stored = case.stored.as_ref().expect("a PATCH has something to change");
            let (request, mut tolerated) = normalise_patch(&rt, dialect, &case.request)?;
            let (result, more) = apply_patch(&rt, dialect, stored, &request)?;
            tolerated.extend(more);
            assert!(request.operations.iter().all(|operation| operation.path.is_some()), "{}", case.name);
            assert!(validate(&rt, &result).is_ok(), "{}: {result}", case.name);
            Ok(Read { normal: request.to_json()["Operations"].take(), result, tolerated })
        }
        "filter" => {
            let text = case.request.as_str().expect("a filter is a text");
            let (filter, tolerated) = normalise_filter(&rt, dialect, text)?;
            Ok(Read { normal: json!(filter.to_string()), result: json!(filter.to_string()), tolerated })
        }
        other => panic!("{}: no kind {other}", case.name),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quirks")
}

fn fixture(name: &str) -> Fixture {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn check(quirk: &str, case: &Case) {
    let place = |dialect: Dialect| format!("{quirk}, {:?} in {dialect}", case.name);
    let result = case.result.as_ref().unwrap_or(&case.normal);
    for &dialect in &case.dialects {
        let read = read(case, dialect).unwrap_or_else(|error| panic!("{}: {error}", place(dialect)));
        assert_eq!(read.normal, case.normal, "{}", place(dialect));
        assert_eq!(&read.result, result, "{}", place(dialect));
        let tolerated: Vec<String> =
            read.tolerated.iter().map(|found| format!("{} @ {}", found.quirk, found.place)).collect();
        assert_eq!(tolerated, case.tolerated, "{}", place(dialect));
    }
    let place = place(Dialect::Strict);
    match (&case.strict, read(case, Dialect::Strict)) {
        (Strict::Refused(beginning), Err(error)) => {
            assert!(error.to_string().starts_with(beginning), "{place}: {error}");
        }
        (Strict::Refused(_), Ok(read)) => panic!("{place}: it was accepted: {}", read.result),
        (Strict::Same, Ok(read)) => assert_eq!(&read.result, result, "{place}"),
        (Strict::Result(wanted), Ok(read)) => assert_eq!(&read.result, wanted, "{place}"),
        (_, Err(error)) => panic!("{place}: {error}"),
    }
}

#[test]
fn every_quirk_understands_its_fixtures_and_strict_does_not() {
    for quirk in dialect::quirks() {
        let fixture = fixture(quirk.name);
        assert!(!fixture.cases.is_empty(), "{}", quirk.name);
        for case in &fixture.cases {
            let all = quirk.dialects.iter().all(|dialect| case.dialects.contains(dialect));
            assert!(all, "{}, {:?}: a dialect of the quirk is missing", quirk.name, case.name);
            let reported = case.tolerated.iter().any(|found| found.starts_with(&format!("{} @", quirk.name)));
            assert!(reported, "{}, {:?} does not need the quirk", quirk.name, case.name);
            check(quirk.name, case);
        }
    }
}

#[test]
fn what_the_rfcs_allow_is_the_same_in_every_dialect() {
    for case in &fixture("lawful").cases {
        assert!(matches!(case.strict, Strict::Same) && case.tolerated.is_empty(), "{}", case.name);
        assert_eq!(case.dialects, [Dialect::Auto, Dialect::Okta, Dialect::Entra, Dialect::Strict]);
        check("lawful", case);
    }
}

#[test]
fn every_fixture_belongs_to_a_quirk() {
    let names: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the folder of fixtures")
        .map(|entry| {
            entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect();
    let mut quirks: BTreeSet<String> = dialect::quirks().iter().map(|quirk| quirk.name.to_owned()).collect();
    quirks.insert("lawful".to_owned());
    assert_eq!(names, quirks);
}
