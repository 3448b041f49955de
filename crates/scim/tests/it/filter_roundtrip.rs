//! Properties: whatever filter or path can be written, its text reads back to the same value.

use proptest::collection::vec;
use proptest::prelude::*;
use scim::{AttrPath, CompareOp, Filter, Literal, PatchPath, ResourceType, quote};
use serde_json::{Number, json};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9_-]{0,8}",
        Just("not".to_owned()),
        Just("and".to_owned()),
        Just("eq".to_owned()),
        Just("$ref".to_owned()),
        Just("true".to_owned())
    ]
}

fn urn() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned())),
        1 => "urn:[a-z]{1,5}:[a-zA-Z0-9.:_-]{0,6}[a-z0-9]".prop_map(Some),
    ]
}

fn attr_path() -> impl Strategy<Value = AttrPath> {
    (urn(), name(), proptest::option::of(name())).prop_map(|(urn, attr, sub)| AttrPath { urn, attr, sub })
}

fn literal() -> impl Strategy<Value = Literal> {
    let text = vec(any::<char>().prop_filter("NUL is refused", |c| *c != '\0'), 0..12)
        .prop_map(|chars| chars.into_iter().collect());
    prop_oneof![
        text.prop_map(Literal::String),
        any::<i64>().prop_map(|number| Literal::Number(number.into())),
        any::<u64>().prop_map(|number| Literal::Number(number.into())),
        any::<f64>().prop_filter_map("finite", |number| Number::from_f64(number).map(Literal::Number)),
        any::<bool>().prop_map(Literal::Bool),
        Just(Literal::Null),
    ]
}

fn leaf() -> impl Strategy<Value = Filter> {
    let op = (0..CompareOp::ALL.len()).prop_map(|index| CompareOp::ALL[index].0);
    prop_oneof![
        attr_path().prop_map(Filter::Present),
        (attr_path(), op, literal()).prop_map(|(path, op, value)| Filter::Compare { path, op, value }),
    ]
}

fn logic(leaf: impl Strategy<Value = Filter> + 'static) -> impl Strategy<Value = Filter> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Filter::And),
            vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let value_path = (urn(), name(), logic(leaf())).prop_map(|(urn, attr, filter)| Filter::ValuePath {
        path: AttrPath { urn, attr, sub: None },
        filter: Box::new(filter),
    });
    logic(prop_oneof![4 => leaf(), 1 => value_path])
}

fn fits(filter: &Filter) -> bool {
    fn terms(filter: &Filter) -> usize {
        match filter {
            Filter::And(list) | Filter::Or(list) => list.iter().map(terms).sum(),
            Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => terms(inner),
            _ => 1,
        }
    }
    terms(filter) <= scim::filter::MAX_TERMS && filter.to_string().len() <= scim::filter::MAX_LENGTH
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filters(filter in filter().prop_filter("within the caps", fits)) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text).map_err(|error| format!("{error} in {text}")), Ok(filter));
    }

    #[test]
    fn letter_case_of_keywords_does_not_count(filter in filter().prop_filter("within the caps", fits)) {
        let text = filter.to_string().replace(" and ", " AND ").replace(" or ", " Or ").replace("not (", "NOT(");
        // A text literal may contain a keyword; then only parsing without error can be asked for.
        prop_assert!(Filter::parse(&text).is_ok(), "{}", text);
    }

    #[test]
    fn attribute_paths(path in attr_path()) {
        prop_assert_eq!(AttrPath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn patch_paths(urn in urn(), attr in name(), filter in proptest::option::of(logic(leaf()).prop_filter("within the caps", fits)), sub in proptest::option::of(name())) {
        let path = PatchPath { urn, attr, filter, sub };
        prop_assert_eq!(PatchPath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_prints_the_same(text in "[ -~é]{0,60}") {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
        }
        if let Ok(path) = PatchPath::parse(&text) {
            prop_assert_eq!(PatchPath::parse(&path.to_string()), Ok(path));
        }
    }

    #[test]
    fn text_close_to_filters_never_breaks_the_parser(parts in vec(prop_oneof![
        Just("a"), Just("eq"), Just("\"x\""), Just("("), Just(")"), Just("["), Just("]"), Just("not"), Just("and"),
        Just("or"), Just("pr"), Just(".b"), Just("1"), Just("true"), Just("urn:x:2.0:User:a"), Just(":"), Just("\\"),
    ], 0..14), glue in prop_oneof![Just(" "), Just("")]) {
        let text = parts.join(glue);
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
            Err(error) => prop_assert!(error.position <= text.len()),
        }
    }

    #[test]
    fn a_quoted_text_matches_itself(text in vec(any::<char>(), 1..12).prop_map(|chars| chars.into_iter().filter(|c| *c != '\0').collect::<String>())) {
        let filter = Filter::parse(&format!("userName eq {} and externalId eq {0}", quote(&text))).expect("quoted text is a literal");
        let resource = json!({"userName": text.as_str(), "externalId": text.as_str()});
        prop_assert!(filter.matches(&ResourceType::user(), &resource));
        let other = json!({"userName": format!("{text}x"), "externalId": text});
        prop_assert!(!filter.matches(&ResourceType::user(), &other));
    }

    #[test]
    fn negation_inverts_and_explanations_agree(filter in filter().prop_filter("within the caps", fits)) {
        let (rt, resource) = (ResourceType::user(), json!({"userName": "a", "a": 1, "emails": [{"value": "x"}]}));
        let verdict = filter.matches(&rt, &resource);
        let clauses = filter.explain(&rt, &resource);
        if matches!(filter, Filter::And(_)) && verdict && !filter.to_string().contains(" or ") && !filter.to_string().contains("not (") {
            prop_assert!(clauses.iter().all(|clause| clause.verdict));
        }
        prop_assert_eq!(Filter::Not(Box::new(filter)).matches(&rt, &resource), !verdict);
    }
}
