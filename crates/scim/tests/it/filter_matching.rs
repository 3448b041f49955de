//! The evaluator against RFC 7644 section 3.4.2.2: every operator, type and multi-valued rule.

use scim::{Clause, Filter, ResourceType, Schema, urn};
use serde_json::{Value, json};

fn ann() -> Value {
    json!({
        "schemas": [urn::USER, urn::ENTERPRISE_USER],
        "id": "aB1",
        "externalId": "E-7",
        "userName": "Ann@Example.com",
        "name": {"givenName": "Ann", "familyName": "O'Malley"},
        "displayName": "Ängström 😀",
        "title": "",
        "nickName": null,
        "active": true,
        "emails": [
            {"value": "ann@example.com", "type": "work", "primary": true},
            {"value": "ann@home.example", "type": "home"},
        ],
        "roles": [],
        "password": "secret",
        "meta": {"lastModified": "2026-05-01T10:00:00+02:00", "resourceType": "User"},
        (urn::ENTERPRISE_USER): {"department": "Sales", "manager": {"value": "m1"}},
    })
}

fn matches(text: &str) -> bool {
    Filter::parse(text).expect(text).matches(&ResourceType::user(), &ann())
}

#[track_caller]
fn check(expected: bool, texts: &[&str]) {
    for text in texts {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn text_is_compared_as_the_schema_says() {
    check(
        true,
        &[
            r#"userName eq "ann@example.COM""#,
            r#"USERNAME EQ "ann@example.com""#,
            r#"userName co "@EXAMPLE""#,
            r#"userName sw "ANN""#,
            r#"userName ew ".com""#,
            r#"name.familyName co "o'malley""#,
            r#"displayName eq "ÄNGSTRÖM 😀""#,
            r#"displayName sw "ängs""#,
            r#"externalId eq "E-7""#,
            r#"id eq "aB1""#,
            r#"userName gt "ann""#,
            r#"userName lt "ANO""#,
            r#"userName ge "ann@example.com" and userName le "ann@example.com""#,
            r#"userName ne "bob""#,
        ],
    );
    check(
        false,
        &[
            r#"externalId eq "e-7""#,
            r#"id eq "ab1""#,
            r#"id sw "AB""#,
            r#"userName ne "ANN@example.com""#,
            r#"userName gt "ann@example.com""#,
            r#"userName eq "ann""#,
            r#"userName eq true"#,
            r#"userName eq 7"#,
        ],
    );
}

#[test]
fn presence_and_null() {
    check(
        true,
        &[
            "userName pr",
            "name pr",
            "emails pr",
            "active pr",
            "title eq \"\"",
            "nickName eq null",
            "roles eq null",
            "userName ne null",
            "timezone eq null",
        ],
    );
    check(
        false,
        &[
            "title pr",
            "nickName pr",
            "roles pr",
            "timezone pr",
            "userName eq null",
            "nickName ne null",
            "nickName eq \"\"",
            "timezone gt null",
        ],
    );
}

#[test]
fn absent_values_are_unequal_to_everything() {
    check(true, &[r#"timezone ne "UTC""#, "not (timezone eq \"UTC\")"]);
    check(false, &[r#"timezone eq "UTC""#, r#"timezone co """#, r#"timezone lt "z""#]);
}

#[test]
fn booleans_numbers_and_times() {
    check(true, &["active eq true", "active eq TRUE", r#"active eq "True""#, "active ne false"]);
    check(
        false,
        &["active eq false", r#"active eq "False""#, "active gt false", "active eq 1", r#"active eq "yes""#],
    );
    check(
        true,
        &[
            r#"meta.lastModified eq "2026-05-01T08:00:00Z""#,
            r#"meta.lastModified ge "2026-05-01T08:00:00.000Z""#,
            r#"meta.lastModified gt "2026-05-01T07:59:59.999Z""#,
            r#"meta.lastModified lt "2026-05-01T09:00:00Z""#,
            r#"meta.lastModified sw "2026-05""#,
        ],
    );
    check(
        false,
        &[r#"meta.lastModified lt "2026-05-01T08:00:00Z""#, r#"meta.lastModified ne "2026-05-01T08:00:00Z""#],
    );
}

#[test]
fn numbers_of_a_custom_extension() {
    let schema = json!({"id": "urn:example:Badge", "attributes": [
        {"name": "level", "type": "integer"},
        {"name": "rate", "type": "decimal"},
        {"name": "tags", "type": "string", "multiValued": true, "caseExact": true},
    ]});
    let schema: Schema = serde_json::from_value(schema).unwrap();
    let rt = ResourceType::user().with_extension(schema);
    let user =
        json!({"urn:example:Badge": {"level": 9_007_199_254_740_993_i64, "rate": 0.5, "tags": ["A", "b"]}});
    for (text, expected) in [
        ("urn:example:Badge:level eq 9007199254740993", true),
        ("urn:example:Badge:level eq 9007199254740992", false),
        ("urn:example:Badge:level gt 9007199254740992", true),
        ("urn:example:Badge:rate eq 5e-1", true),
        ("urn:example:Badge:rate lt 1", true),
        ("urn:example:Badge:rate ge 0.6", false),
        (r#"urn:example:Badge:tags eq "A""#, true),
        (r#"urn:example:Badge:tags eq "a""#, false),
        (r#"urn:example:Badge:tags[value eq "b"]"#, true),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.check(&rt), Ok(()), "{text}");
        assert_eq!(filter.matches(&rt, &user), expected, "{text}");
    }
}

#[test]
fn multi_valued_attributes_match_if_any_value_does() {
    check(
        true,
        &[
            r#"emails eq "ANN@home.example""#,
            r#"emails co "@example""#,
            r#"emails.value ew "home.example""#,
            r#"emails.type eq "home""#,
            r#"emails.primary eq true"#,
            r#"emails.type ne "work""#,
            r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
            // Two different elements may satisfy the two terms.
            r#"emails.type eq "home" and emails.value eq "ann@example.com""#,
        ],
    );
    check(false, &[r#"emails.type eq "other""#, r#"emails eq "ann""#, r#"roles ne null"#]);
}

#[test]
fn value_paths_ask_for_one_element() {
    check(
        true,
        &[
            r#"emails[type eq "work" and value co "@example.com"]"#,
            r#"emails[type eq "WORK"].value eq "ann@example.com""#,
            r#"emails[not (primary eq true)]"#,
            r#"emails[primary pr]"#,
            r#"emails[type eq "work" or type eq "other"]"#,
            r#"not (emails[type eq "other"])"#,
            r#"emails[type eq "home"].primary ne true"#,
        ],
    );
    check(
        false,
        &[
            r#"emails[type eq "home" and value co "@example.com"]"#,
            r#"emails[type eq "home"].value eq "ann@example.com""#,
            r#"emails[type eq "other"].value pr"#,
            r#"roles[value pr]"#,
        ],
    );
}

#[test]
fn urns_and_implied_values() {
    let enterprise = urn::ENTERPRISE_USER;
    for (text, expected) in [
        (format!(r#"{enterprise}:department eq "sales""#), true),
        (format!(r#"{enterprise}:manager.value eq "m1""#), true),
        (format!(r#"{enterprise}:manager eq "m1""#), true),
        (format!(r#"{enterprise}:manager eq "M1""#), false),
        (format!(r#"{enterprise}:costCenter pr"#), false),
        (format!(r#"{}:userName sw "ann""#, urn::USER), true),
        (r#"department eq "Sales""#.to_owned(), false),
    ] {
        assert_eq!(matches(&text), expected, "{text}");
    }
}

#[test]
fn logic_and_precedence() {
    check(
        true,
        &[
            "userName pr or title pr and title pr",
            "not (title pr) and not (roles pr)",
            "not (title pr or nickName pr)",
        ],
    );
    check(false, &["(userName pr or title pr) and title pr", "not (title pr or userName pr)"]);
}

#[test]
fn members_are_compared_exactly() {
    let group = json!({"displayName": "G", "members": [{"value": "aB"}, {"value": "c"}]});
    let holds = |text: &str| Filter::parse(text).unwrap().matches(&ResourceType::group(), &group);
    assert!(
        holds(r#"members eq "aB""#)
            && holds(r#"members[value eq "c"]"#)
            && holds(r#"displayName eq "g" and members.value eq "c""#)
    );
    assert!(!holds(r#"members eq "AB""#));
}

#[test]
fn explains_every_clause_in_order() {
    let text = r#"userName sw "ann" and not (active eq true or title pr) and emails[type eq "other"] and password pr"#;
    let clauses = Filter::parse(text).unwrap().explain(&ResourceType::user(), &ann());
    let clause =
        |text: &str, value: &str, verdict| Clause { text: text.into(), value: value.into(), verdict };
    assert_eq!(
        clauses,
        [
            clause(r#"userName sw "ann""#, r#""Ann@Example.com""#, true),
            clause("not (active eq true)", "true", false),
            clause("not (title pr)", r#""""#, true),
            clause(
                r#"emails[type eq "other"]"#,
                r#"{"primary":true,"type":"work","value":"ann@example.com"}, {"type":"home","value":"ann@home.example"}"#,
                false
            ),
            clause("password pr", "(hidden)", true),
        ]
    );
    let none = Filter::parse("timezone pr").unwrap().explain(&ResourceType::user(), &ann());
    assert_eq!(none, [clause("timezone pr", "(none)", false)]);
}

#[test]
fn whatever_a_resource_holds_evaluating_is_total() {
    let filter = Filter::parse(r#"userName eq "a" or emails[type eq "w"].value gt "x" or name.givenName pr or meta.created lt "2026-01-01T00:00:00Z""#).unwrap();
    for odd in [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({"userName": {"value": "A"}}),
        json!({"emails": "x"}),
        json!({"emails": [[1]]}),
        json!({"name": [1]}),
        json!({"meta": {"created": "no time"}}),
    ] {
        let verdict = filter.matches(&ResourceType::user(), &odd);
        assert_eq!(verdict, odd.get("userName").is_some(), "{odd}");
    }
}
