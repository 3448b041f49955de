//! Seeds: every target has some, they hold, and sentences of the grammars get past the first check.

use std::path::{Path, PathBuf};

use targets::random::Random;
use targets::{ALL, find};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("a crate is two folders down")
        .join("fuzz")
}

#[test]
fn every_seed_holds() {
    let (mut files, mut bytes) = (0, 0);
    for target in ALL {
        let mut seeds = 0;
        for entry in std::fs::read_dir(fuzz().join("corpus").join(target.name)).unwrap() {
            let input = std::fs::read(entry.unwrap().path()).unwrap();
            (target.run)(&input);
            seeds += 1;
            bytes += input.len();
        }
        assert!(seeds >= 10, "{} has {seeds} seeds", target.name);
        files += seeds;
    }
    assert!(files < 300 && bytes < 200_000, "the corpus stays small: {files} files, {bytes} bytes");
}

#[test]
fn every_target_has_an_entry_point_and_every_entry_point_a_target() {
    let mut names: Vec<String> = std::fs::read_dir(fuzz().join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let mut expected = ALL.map(|target| target.name);
    expected.sort_unstable();
    assert_eq!(names, expected);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in names {
        let source = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("fuzz::run(\"{name}\", data)")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

#[test]
fn sentences_hold_and_get_past_the_first_check() {
    for target in ALL {
        let mut random = Random::new(5);
        (0..400).for_each(|_| (target.run)(&target.grammar.sentence(&mut random)));
    }
    let sentences = |name: &str| {
        let grammar = find(name).unwrap().grammar;
        let mut random = Random::new(9);
        (0..400).map(move |_| String::from_utf8(grammar.sentence(&mut random)).unwrap())
    };
    let first = |text: String| text.split('\0').next().unwrap_or_default().to_owned();
    let filters =
        sentences("filter").filter(|text| scim::Filter::parse(&first(text.clone())).is_ok()).count();
    let paths = sentences("path").filter(|text| scim::PatchPath::parse(&first(text.clone())).is_ok()).count();
    let bodies = sentences("patch")
        .filter(|text| {
            serde_json::from_str(&first(text.clone()))
                .is_ok_and(|body| scim::PatchRequest::from_json(&body).is_ok())
        })
        .count();
    let expressions = sentences("expression")
        .filter(|text| domain::expression::Expression::compile(&first(text.clone())).is_ok())
        .count();
    let requests = sentences("bulk")
        .filter(|text| {
            serde_json::from_str(&first(text.clone()))
                .is_ok_and(|body| scim::bulk::BulkRequest::from_json(&body, 200).is_ok())
        })
        .count();
    let queries = sentences("query")
        .filter(|text| {
            scim::ListQuery::from_parameters(&scim::query::parameters(&first(text.clone()))).is_ok()
        })
        .count();
    let answered: Vec<u16> =
        sentences("request").map(|text| targets::request::time(&|| 0, text.as_bytes()).1).collect();
    let count = |range: std::ops::Range<u16>| answered.iter().filter(|status| range.contains(status)).count();
    let (done, refused) = (count(200..300), count(400..500));
    assert!(done > 80 && refused > 80, "{done} done, {refused} refused: {answered:?}");
    let user = scim::ResourceType::user();
    let read = |text: String, dialect| {
        serde_json::from_str(&first(text)).is_ok_and(|body| {
            scim::dialect::normalise_patch(&user, dialect, &body).is_ok()
                || scim::dialect::normalise_resource(&user, dialect, &body).is_ok()
        })
    };
    let auto = sentences("dialect").filter(|text| read(text.clone(), scim::Dialect::Auto)).count();
    let strict = sentences("dialect").filter(|text| read(text.clone(), scim::Dialect::Strict)).count();
    assert!(
        requests > 80 && queries > 80 && auto > 80 && strict > 10,
        "{requests} {queries} {auto} {strict}"
    );
    assert!(
        [filters, paths, bodies, expressions].iter().all(|count| *count > 80),
        "{filters} {paths} {bodies} {expressions}"
    );
}
