//! PATCH of groups with 100,000 members: the cost follows the change, and hostile repetition is refused.

use std::collections::BTreeSet;

use scim::patch::apply;
use scim::{PatchRequest, ResourceType};
use serde_json::{Value, json};

const MEMBERS: usize = 100_000;

fn group() -> Value {
    let members: Vec<Value> = (0..MEMBERS).map(|index| json!({"value": format!("u{index}")})).collect();
    json!({"displayName": "All", "members": members})
}

fn after(resource: &Value, operations: Vec<Value>) -> Result<BTreeSet<String>, scim::ScimError> {
    let request = PatchRequest::from_json(&json!({"Operations": operations})).expect("a request");
    let changed = apply(&ResourceType::group(), resource, &request)?;
    let members = changed["members"].as_array().expect("members are left");
    let ids: BTreeSet<String> =
        members.iter().map(|member| member["value"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(ids.len(), members.len(), "no member twice");
    Ok(ids)
}

#[test]
fn half_of_a_long_list_leaves_and_as_many_join_in_one_request() {
    // With a scan of the list for each member this would be 5,000,000,000 comparisons.
    let leaving: Vec<Value> =
        (0..MEMBERS / 2).map(|index| json!({"value": format!("u{}", index * 2)})).collect();
    let joining: Vec<Value> = (0..MEMBERS / 2).map(|index| json!({"value": format!("n{index}")})).collect();
    let ids = after(
        &group(),
        vec![
            json!({"op": "remove", "path": "members", "value": leaving}),
            json!({"op": "add", "path": "members", "value": joining}),
        ],
    )
    .expect("applies");
    assert_eq!(ids.len(), MEMBERS);
    assert!(ids.contains("u1") && !ids.contains("u0") && ids.contains("n0"));
}

#[test]
fn a_thousand_single_changes_share_one_index() {
    let operations = (0..1_000)
        .map(|index| match index % 5 {
            0 => json!({"op": "remove", "path": format!("members[value eq \"u{index}\"]")}),
            1 => json!({"op": "add", "path": "members", "value": [{"value": format!("n{index}")}]}),
            2 => json!({"op": "remove", "path": "members", "value": [{"value": format!("u{index}")}]}),
            3 => {
                let path = format!("members[value eq \"u{index}\"].display");
                json!({"op": "add", "path": path, "value": "shown"})
            }
            _ => json!({"op": "replace", "path": "displayName", "value": format!("All {index}")}),
        })
        .collect();
    let ids = after(&group(), operations).expect("applies within the work allowed");
    assert_eq!(ids.len(), MEMBERS - 400 + 200);
}

#[test]
fn a_thousand_passes_over_a_long_list_are_refused() {
    let operations = vec![json!({"op": "remove", "path": "members[display co \"x\"]"}); 1_000];
    let error = after(&group(), operations).expect_err("too much work");
    assert_eq!(error.status, 413);
    assert!(error.detail.contains("long lists"), "{error}");
}

#[test]
fn a_stored_repetition_collapses() {
    let group = json!({"displayName": "G", "members": [{"value": "a"}, {"value": "a"}, {"value": "b"}]});
    let ids =
        after(&group, vec![json!({"op": "remove", "path": "members[value eq \"a\"]"})]).expect("applies");
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["b"]);
}
