//! Dialects: what they make of a request is lawful, they keep what is lawful already, and they tell no values.

use scim::dialect::{Tolerated, apply_patch, normalise_patch, normalise_resource};
use scim::{Dialect, ResourceType, ScimError, validate};
use serde_json::Value;

use crate::parts::{GROUP, USER, fields, group, json_field, names_are_distinct, user};

const ALL: [Dialect; 4] = [Dialect::Strict, Dialect::Auto, Dialect::Okta, Dialect::Entra];

/// Fields: the body of a PATCH as JSON, or of a POST.
pub fn dialect(data: &[u8]) {
    let fields = fields(data);
    let Some(text) = fields.first() else { return };
    // A name given twice in two cases has no one meaning; the reader of bodies refuses it first.
    let Ok(body) = scim::read_body(text.as_bytes()) else { return };
    let resource = json_field(&fields, 1);
    for (rt, usual) in [(&*USER, user()), (&*GROUP, group())] {
        patches(rt, &usual, &body);
        resources(rt, resource.as_ref().filter(|given| names_are_distinct(given)).unwrap_or(&body));
    }
}

fn patches(rt: &ResourceType, stored: &Value, body: &Value) {
    let mut lawful = None;
    for dialect in ALL {
        let read = normalise_patch(rt, dialect, body).and_then(|(request, mut notes)| {
            let (changed, more) = apply_patch(rt, dialect, stored, &request)?;
            notes.extend(more);
            Ok((request, changed, notes))
        });
        let (request, changed, notes) = match read {
            Ok(read) => read,
            Err(error) => {
                refused(&error);
                assert!(lawful.is_none(), "{dialect} refuses what is lawful: {error}");
                continue;
            }
        };
        assert!(validate(rt, &changed).is_ok(), "{changed}");
        for name in ["id", "meta", "groups"] {
            assert_eq!(changed.get(name), stored.get(name), "{name} is readOnly");
        }
        assert!(request.operations.iter().all(|operation| operation.path.is_some()), "every path is there");
        let listed = notes.iter().any(|note| note.quirk == "remove_listed");
        if !request.operations.is_empty() {
            let again =
                normalise_patch(rt, if listed { dialect } else { Dialect::Strict }, &request.to_json());
            assert_eq!(again.map(|(again, _)| again), Ok(request), "read once, it is lawful");
        }
        keeps_meaning(dialect, &mut lawful, changed, &notes);
    }
}

fn resources(rt: &ResourceType, body: &Value) {
    let mut lawful = None;
    for dialect in ALL {
        let read = normalise_resource(rt, dialect, body)
            .and_then(|(normal, notes)| Ok((validate(rt, &normal)?, normal, notes)));
        match read {
            Ok((resource, normal, notes)) => {
                let again = normalise_resource(rt, Dialect::Strict, &normal);
                assert_eq!(again, Ok((normal, Vec::new())), "read once, it is lawful");
                keeps_meaning(dialect, &mut lawful, resource, &notes);
            }
            Err(error) => {
                refused(&error);
                assert!(lawful.is_none(), "{dialect} refuses what is lawful: {error}");
            }
        }
    }
}

/// An empty text is the one thing that is lawful and still read as something else.
fn keeps_meaning(dialect: Dialect, lawful: &mut Option<Value>, result: Value, notes: &[Tolerated]) {
    if dialect == Dialect::Strict {
        assert!(notes.is_empty(), "strict tolerates nothing");
        *lawful = Some(result);
    } else if let Some(lawful) = lawful {
        let cleared = notes.iter().any(|note| note.quirk == "empty_text");
        assert!(*lawful == result || cleared, "{dialect} reads {result} where {lawful} stands");
    }
    assert!(notes.len() <= 202, "{} notes", notes.len());
}

fn refused(error: &ScimError) {
    assert!(matches!(error.status, 400 | 409 | 413) && !error.detail.is_empty(), "{error}");
    assert!(error.detail.len() < 10_000, "a message stays short: {} bytes", error.detail.len());
}
