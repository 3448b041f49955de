//! What holds for every request in every dialect, whatever its quirks.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use scim::dialect::{Tolerated, apply_patch, normalise_filter, normalise_patch, normalise_resource};
use scim::patch::MAX_OPERATIONS;
use scim::{Dialect, PatchRequest, ResourceType, ScimError, ScimType, urn, validate};
use serde_json::{Map, Value, json};

const ALL: [Dialect; 4] = [Dialect::Auto, Dialect::Okta, Dialect::Entra, Dialect::Strict];

/// Stands in every value, and in no name.
const SECRET: &str = "s3cr3t";

fn user() -> Value {
    json!({
        "schemas": [urn::USER, urn::ENTERPRISE_USER], "id": "u1", "userName": "ida", "active": true,
        "name": {"givenName": "Ida", "familyName": "Moor"},
        "emails": [{"value": "i@x.example", "type": "work", "primary": true}],
        "groups": [{"value": "g1"}],
        (urn::ENTERPRISE_USER): {"department": "Ledger", "manager": {"value": "m0"}},
    })
}

fn group() -> Value {
    json!({"schemas": [urn::GROUP], "id": "g1", "displayName": "Pier", "members": [{"value": "m1"}, {"value": "m2"}]})
}

fn body(operations: &[Value]) -> Value {
    json!({"schemas": [urn::PATCH_OP], "Operations": operations})
}

fn patched(
    rt: &ResourceType,
    dialect: Dialect,
    stored: &Value,
    request: &Value,
) -> Result<(PatchRequest, Value, Vec<Tolerated>), ScimError> {
    let (request, mut notes) = normalise_patch(rt, dialect, request)?;
    let (changed, more) = apply_patch(rt, dialect, stored, &request)?;
    notes.extend(more);
    Ok((request, changed, notes))
}

fn refusal(rt: &ResourceType, stored: &Value, operation: Value) -> (u16, Option<ScimType>, String) {
    let error = patched(rt, Dialect::Auto, stored, &body(&[operation])).expect_err("refused");
    (error.status, error.scim_type, error.detail)
}

#[test]
fn what_no_dialect_guesses() {
    let (user_type, group_type) = (ResourceType::user(), ResourceType::group());
    let of_user = |operation: Value| refusal(&user_type, &user(), operation);
    let of_group = |operation: Value| refusal(&group_type, &group(), operation);
    for (found, kind, detail) in [
        (
            of_user(json!({"op": "replace", "path": "id", "value": "u2"})),
            ScimType::Mutability,
            "id is readOnly",
        ),
        (of_user(json!({"op": "remove", "path": "meta"})), ScimType::Mutability, "meta is readOnly"),
        (
            of_user(json!({"op": "replace", "path": "userName", "value": ""})),
            ScimType::InvalidValue,
            "userName is required",
        ),
        (
            of_user(json!({"op": "replace", "path": "active", "value": "maybe"})),
            ScimType::InvalidValue,
            "active must be a boolean, not a text of 5 characters",
        ),
        (
            of_user(json!({"op": "replace", "path": "emails[kind eq \"x\"].value", "value": "y"})),
            ScimType::InvalidFilter,
            "emails has no sub-attribute kind",
        ),
        (
            of_user(json!({"op": "replace", "path": "emails.value", "value": "y"})),
            ScimType::InvalidPath,
            "emails.value: select which value of emails with \"emails[…]\"",
        ),
        (
            of_group(json!({"op": "remove", "path": "members", "value": null})),
            ScimType::InvalidValue,
            "Operations[0]: \"remove\" of members with a null value: name the values, or leave value out to remove all",
        ),
        (
            of_group(json!({"op": "add", "path": "members", "value": [{"display": "x"}]})),
            ScimType::InvalidValue,
            "Operations[0]: members[0].value is required",
        ),
        (
            of_group(json!({"op": "remove", "value": {"members": []}})),
            ScimType::NoTarget,
            "Operations[0]: \"remove\" needs a path",
        ),
        (
            of_group(json!({"op": "replace", "path": "displayName"})),
            ScimType::InvalidValue,
            "Operations[0]: \"replace\" needs a value",
        ),
    ] {
        assert_eq!(found, (400, Some(kind), detail.to_owned()));
    }
    let malformed = of_user(json!({"op": "replace", "path": "emails[", "value": "y"}));
    assert_eq!((malformed.0, malformed.1), (400, Some(ScimType::InvalidPath)));
    let filter = normalise_filter(&user_type, Dialect::Auto, "shoeSize eq \"44\"").expect_err("refused");
    assert_eq!(filter.scim_type, Some(ScimType::InvalidFilter));
}

#[test]
fn an_extension_with_spaces_around_its_name_is_taken_apart_too() {
    let (rt, urn) = (ResourceType::user(), urn::ENTERPRISE_USER);
    let value = json!({"costCenter": "L1", "department": "Ledger"});
    let spaced = format!(" \t{urn}\n");
    for operation in [
        json!({"op": "add", "value": {(spaced.as_str()): value}}),
        json!({"op": "add", "path": spaced, "value": value}),
    ] {
        let (request, _) = normalise_patch(&rt, Dialect::Strict, &body(&[operation])).unwrap();
        let paths: Vec<String> =
            request.operations.iter().map(|operation| operation.path.as_ref().unwrap().to_string()).collect();
        assert_eq!(paths, [format!("{urn}:costCenter"), format!("{urn}:department")]);
    }
    let whole = json!({"schemas": [urn::USER], "userName": "ida", (spaced.as_str()): value});
    let (normal, _) = normalise_resource(&rt, Dialect::Strict, &whole).unwrap();
    assert_eq!(normal[urn], value);
}

#[test]
fn a_list_of_nothing_is_never_taken_for_all() {
    let rt = ResourceType::group();
    for value in
        [json!([]), json!([null]), json!([{}]), json!([""]), json!([{"value": null}]), json!({}), json!("")]
    {
        for dialect in ALL {
            let request = body(&[json!({"op": "remove", "path": "members", "value": value})]);
            if let Ok((_, changed, _)) = patched(&rt, dialect, &group(), &request) {
                assert_eq!(changed, group(), "{dialect}: {value}");
            }
        }
    }
}

#[test]
fn more_than_the_caps_is_refused() {
    let rt = ResourceType::user();
    let operations = vec![json!({"op": "replace", "value": {"title": "x", "nickName": "y"}}); MAX_OPERATIONS];
    for dialect in ALL {
        let status = |request: &Value| normalise_patch(&rt, dialect, request).map_err(|error| error.status);
        assert_eq!(status(&body(&operations)).expect_err("too many"), 413);
        assert!(status(&body(&operations[..MAX_OPERATIONS / 2])).is_ok());
        assert_eq!(
            status(&body(&[operations.as_slice(), &operations[..1]].concat())).expect_err("too many"),
            413
        );
        let wide: Map<String, Value> = (0..5_000).map(|index| (format!("n{index}"), json!(1))).collect();
        let resource = normalise_resource(&rt, dialect, &Value::Object(wide.clone()));
        assert!(matches!(resource.expect_err("too wide").status, 400 | 413));
        let (_, notes) = match normalise_resource(
            &rt,
            dialect,
            &Value::Object(wide.into_iter().take(900).chain([("userName".to_owned(), json!("x"))]).collect()),
        ) {
            Ok(read) => read,
            Err(error) => {
                assert_eq!((dialect, error.status), (Dialect::Strict, 400));
                continue;
            }
        };
        assert_eq!(notes.len(), 101, "a hundred notes, and how many more there are");
    }
}

#[test]
fn a_long_name_does_not_come_back_as_a_long_message() {
    let (rt, name) = (ResourceType::user(), "x".repeat(40_000));
    for dialect in ALL {
        let resources = [
            json!({"schemas": [urn::USER], "userName": "ida", (name.clone()): 1}),
            json!({"schemas": [urn::USER], "userName": "ida", "emails": [{(name.clone()): 1}]}),
            json!({"schemas": [urn::USER], "userName": "ida", (urn::ENTERPRISE_USER): {(name.clone()): 1}}),
            json!({"schemas": [urn::USER, name.clone()], "userName": "ida"}),
        ];
        for resource in resources {
            let read = normalise_resource(&rt, dialect, &resource)
                .and_then(|(normal, notes)| validate(&rt, &normal).map(|_| notes));
            let longest = match read {
                Ok(notes) => notes.iter().map(|note| note.place.len() + note.note.len()).max().unwrap_or(0),
                Err(error) => error.detail.len(),
            };
            assert!((1..1_000).contains(&longest), "{dialect}: {longest} bytes");
        }
        let mut requests = vec![
            body(&[json!({"op": "replace", "value": {(name.clone()): 1}})]),
            body(&[json!({"op": (name.clone()), "path": "title"})]),
            body(&[json!({"op": "replace", "path": "title", "value": "x", (name.clone()): 1})]),
        ];
        requests.push(json!({"schemas": [urn::PATCH_OP], "Operations": [{"op": "remove", "path": "title"}], (name.clone()): 1}));
        for request in requests {
            let longest = match normalise_patch(&rt, dialect, &request) {
                Ok((_, notes)) => {
                    notes.iter().map(|note| note.place.len() + note.note.len()).max().unwrap_or(0)
                }
                Err(error) => error.detail.len(),
            };
            assert!((1..1_000).contains(&longest), "{dialect}: {longest} bytes");
        }
    }
}

/// Values of every shape, lawful and not.
fn value() -> impl Strategy<Value = Value> {
    let simple = select(vec![
        json!(SECRET),
        json!("True"),
        json!(""),
        json!(true),
        json!(null),
        json!(7),
        json!([]),
        json!({}),
    ]);
    let part =
        select(vec!["value", "type", "primary", "Display", "$ref", "givenName", "nickPrefix", "members"]);
    let object = vec((part, simple.clone()), 0..3)
        .prop_map(|parts| json!(parts.into_iter().collect::<std::collections::BTreeMap<_, _>>()));
    let item = prop_oneof![simple, object];
    prop_oneof![3 => item.clone(), 1 => vec(item, 0..3).prop_map(Value::Array)]
}

fn name() -> impl Strategy<Value = String> {
    let manager = format!("{}:manager", urn::ENTERPRISE_USER);
    select(
        [
            "userName",
            "title",
            "active",
            "name",
            "name.givenName",
            "emails",
            "members",
            "displayName",
            "id",
            "groups",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([
            "department".to_owned(),
            "manager.value".to_owned(),
            "shoeSize".to_owned(),
            "emails[type eq \"work\"].value".to_owned(),
            "emails[primary eq \"True\"]".to_owned(),
            "urn:scim:schemas:extension:enterprise:2.0:department".to_owned(),
            urn::ENTERPRISE_USER.to_owned(),
            manager,
        ])
        .collect::<Vec<_>>(),
    )
}

fn operation() -> impl Strategy<Value = Value> {
    let op = select(vec!["add", "Replace", "remove"]);
    prop_oneof![
        (op.clone(), name(), value())
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value})),
        (op.clone(), name()).prop_map(|(op, path)| json!({"op": op, "path": path})),
        (op, vec((name(), value()), 1..4)).prop_map(|(op, names)| {
            json!({"op": op, "value": names.into_iter().collect::<std::collections::BTreeMap<_, _>>()})
        }),
    ]
}

fn cleared_texts(notes: &[Tolerated]) -> bool {
    notes.iter().any(|note| note.quirk == "empty_text")
}

fn check_notes(notes: &[Tolerated]) {
    let text = serde_json::to_string(notes).expect("notes are text");
    assert!(!text.contains(SECRET), "a note never shows a value: {text}");
    assert!(notes.iter().all(|note| !note.quirk.is_empty() && !note.note.is_empty()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn patches_become_lawful_and_strict_ones_keep_their_meaning(operations in vec(operation(), 1..4)) {
        for (rt, stored) in [(ResourceType::user(), user()), (ResourceType::group(), group())] {
            let request = body(&operations);
            let strict = patched(&rt, Dialect::Strict, &stored, &request);
            for dialect in ALL {
                let Ok((normal, changed, notes)) = patched(&rt, dialect, &stored, &request) else {
                    prop_assert!(strict.is_err() || dialect == Dialect::Strict, "{dialect} refuses what is lawful");
                    continue;
                };
                check_notes(&notes);
                prop_assert!(validate(&rt, &changed).is_ok(), "{}", changed);
                prop_assert_eq!(&changed["id"], &stored["id"]);
                prop_assert_eq!(changed.get("groups"), stored.get("groups"));
                if let Ok((_, lawful, _)) = &strict {
                    prop_assert!(*lawful == changed || cleared_texts(&notes), "{lawful} and {changed}");
                }
                // Once read, it is lawful, but for the removal of listed values.
                let listed = notes.iter().any(|note| note.quirk == "remove_listed");
                if !normal.operations.is_empty() {
                    let again = normalise_patch(&rt, if listed { dialect } else { Dialect::Strict }, &normal.to_json());
                    prop_assert_eq!(again.map(|(again, _)| again), Ok(normal));
                }
            }
        }
    }

    #[test]
    fn resources_become_lawful_and_strict_ones_keep_their_meaning(parts in vec((name(), value()), 0..6)) {
        let mut given: Map<String, Value> = parts.into_iter().collect();
        given.entry("schemas").or_insert_with(|| json!([urn::USER]));
        given.entry("userName").or_insert_with(|| json!("ida"));
        let (rt, given) = (ResourceType::user(), Value::Object(given));
        let read = |dialect: Dialect| {
            let (normal, notes) = normalise_resource(&rt, dialect, &given)?;
            Ok::<_, ScimError>((validate(&rt, &normal)?, normal, notes))
        };
        let strict = read(Dialect::Strict);
        for dialect in ALL {
            let Ok((resource, normal, notes)) = read(dialect) else {
                prop_assert!(strict.is_err(), "{dialect} refuses what is lawful");
                continue;
            };
            check_notes(&notes);
            if let Ok((lawful, _, _)) = &strict {
                prop_assert!(*lawful == resource || cleared_texts(&notes), "{lawful} and {resource}");
            }
            prop_assert_eq!(normalise_resource(&rt, Dialect::Strict, &normal), Ok((normal, Vec::new())));
        }
    }
}
