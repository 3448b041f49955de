//! Hostile filters and paths: refused quickly, and never at the price of the stack.

use std::fmt::Write as _;

use scim::filter::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS};
use scim::{AttrPath, Filter, PatchPath, ResourceType};
use serde_json::json;

/// A quarter of what a tokio worker has.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(test)
        .expect("a thread of 512 KiB can be started")
        .join()
        .expect("no panic on the small stack");
}

#[test]
fn bombs_of_every_kind_are_refused() {
    on_small_stack(|| {
        for unit in [
            "(",
            "not (",
            "not(",
            "[",
            "a[",
            "and ",
            "a pr and ",
            "a pr or ",
            "\"",
            "a eq ",
            ")",
            "]",
            "é",
            "\\",
            ".",
        ] {
            for count in [100_000, 2_000, MAX_LENGTH / unit.len()] {
                let bomb = unit.repeat(count);
                let error = Filter::parse(&bomb).expect_err(unit);
                assert!(error.position <= MAX_LENGTH, "{unit}: {error}");
                assert!(PatchPath::parse(&bomb).is_err(), "{unit}");
                assert!(AttrPath::parse(&bomb).is_err() || unit == "(", "{unit}");
            }
        }
    });
}

#[test]
fn a_bomb_costs_no_more_than_its_capped_length() {
    // Were the caps checked after reading, 10,000 bombs of 1 MB would take minutes.
    let bomb = "(".repeat(1_000_000);
    for _ in 0..10_000 {
        assert!(Filter::parse(&bomb).is_err());
    }
}

#[test]
fn the_deepest_filter_is_parsed_evaluated_printed_and_dropped() {
    on_small_stack(|| {
        let user = ResourceType::user();
        let nested = |depth: usize| format!("{}userName pr{}", "not (".repeat(depth), ")".repeat(depth));
        let filter = Filter::parse(&nested(MAX_DEPTH)).expect("the cap itself is allowed");
        assert!(filter.matches(&user, &json!({"userName": "ann"})));
        assert_eq!(filter.check(&user), Ok(()));
        assert_eq!(filter.explain(&user, &json!({})).len(), 1);
        assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()));
        let error = Filter::parse(&nested(MAX_DEPTH + 1)).expect_err("one level more");
        assert_eq!(
            error.to_string(),
            format!("at position {}: nested deeper than 32 levels", 5 * MAX_DEPTH + 4)
        );
    });
}

#[test]
fn the_canonical_text_of_an_accepted_filter_is_accepted() {
    let depth = |levels: usize| {
        format!("{}emails[type pr or display pr].value pr{}", "(".repeat(levels), ")".repeat(levels))
    };
    assert!(
        Filter::parse(&depth(MAX_DEPTH - 2))
            .is_ok_and(|filter| Filter::parse(&filter.to_string()) == Ok(filter))
    );
    assert!(Filter::parse(&depth(MAX_DEPTH - 1)).is_err());
    // 1e15 prints as sixteen digits; 100 of them do not fit if the source is near the cap.
    let mut text = format!("a eq \"{}\"", "x".repeat(MAX_LENGTH - 1_500));
    for _ in 1..MAX_TERMS {
        text.push_str(" or a eq 1e15");
    }
    assert!(text.len() <= MAX_LENGTH);
    assert!(Filter::parse(&text).is_err());
}

#[test]
fn a_hundred_terms_are_one_level_and_one_more_is_refused() {
    let mut text = "userName eq \"0\"".to_owned();
    for index in 1..MAX_TERMS {
        write!(text, " or userName eq \"{index}\"").expect("writing to a string");
    }
    let Filter::Or(terms) = Filter::parse(&text).expect("100 terms") else { panic!("one flat or") };
    assert_eq!(terms.len(), MAX_TERMS);
    let error = Filter::parse(&format!("{text} or a pr")).expect_err("101 terms");
    assert!(error.message.contains("more than 100 comparisons"), "{error}");
    let error = Filter::parse(&"a pr or ".repeat(1_000)).expect_err("1,000 terms");
    assert!(error.message.contains("more than 100 comparisons"), "{error}");
}

#[test]
fn errors_name_the_position_and_what_was_expected() {
    for (text, message) in [
        ("", "at position 0: expected an attribute, \"not (\" or \"(\", found the end"),
        ("userName", "at position 8: expected an operator (eq ne co sw ew gt ge lt le pr), found the end"),
        (
            "userName is \"x\"",
            "at position 9: expected an operator (eq ne co sw ew gt ge lt le pr), found \"is\"",
        ),
        (
            "userName eq x",
            "at position 12: expected a value (text in quotes, a number, true, false or null), found \"x\"",
        ),
        ("userName eq \"x", "at position 12: the text that begins here has no closing quote"),
        (
            "userName eq \"x\" userName pr",
            "at position 16: expected \"and\", \"or\" or the end, found \"userName\"",
        ),
        (
            "(userName pr",
            "at position 12: expected \"and\", \"or\" or the \")\" for the \"(\" at position 0, found the end",
        ),
        (
            "emails[type pr",
            "at position 14: expected \"and\", \"or\" or the \"]\" for the \"[\" at position 6, found the end",
        ),
        ("emails[a[b pr]]", "at position 8: brackets inside brackets: elements have no elements"),
        ("1st eq 2", "at position 0: \"1st\" is no attribute name (letters, digits, '-' and '_')"),
        ("userName pr)", "at position 11: expected \"and\", \"or\" or the end, found \")\""),
        ("emails[type pr] .value pr", "at position 16: a space before the sub-attribute"),
        (
            "a eq 01",
            "at position 5: expected a value (text in quotes, a number, true, false or null), found \"01\"",
        ),
    ] {
        assert_eq!(Filter::parse(text).expect_err(text).to_string(), message);
    }
}
