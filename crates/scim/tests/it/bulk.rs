//! Bulk requests: what is read, in which order it is carried out, and how circles are broken.

use std::collections::{BTreeMap, BTreeSet};

use scim::bulk::{self, BulkMethod, BulkOperation, BulkRequest, postpone, references, resolve};
use scim::{ScimType, urn};
use serde_json::{Value, json};

fn request(operations: Value) -> BulkRequest {
    BulkRequest::from_json(&json!({"schemas": [urn::BULK_REQUEST], "Operations": operations}), 100)
        .expect("a request")
}

fn user(id: &str, data: Value) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": id, "data": data})
}

fn order(operations: Value) -> Vec<Vec<usize>> {
    let groups = bulk::order(&request(operations).operations).expect("an order");
    groups.into_iter().map(|group| group.operations).collect()
}

fn ids(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(bulk_id, id)| ((*bulk_id).to_owned(), (*id).to_owned())).collect()
}

#[test]
fn reads_the_example_of_the_rfc() {
    let read = BulkRequest::from_json(
        &json!({
            "schemas": [urn::BULK_REQUEST], "failOnErrors": 1, "operations": [
                {"method": "post", "path": "/Users", "bulkId": "qwerty", "data": {"userName": "Alice"}},
                {"method": "PUT", "path": "/Users/b7c", "version": "W/\"4\"", "data": {"userName": "Bob"}},
                {"method": "PATCH", "path": "/Users/5d8", "data": {"Operations": []}},
                {"method": "DELETE", "path": "/Users/e90", "data": null},
            ]
        }),
        4,
    )
    .expect("a request");
    assert_eq!(read.fail_on_errors, Some(1));
    assert_eq!(
        read.operations[0],
        BulkOperation {
            method: BulkMethod::Post,
            path: "/Users".to_owned(),
            bulk_id: Some("qwerty".to_owned()),
            version: None,
            data: Some(json!({"userName": "Alice"})),
        }
    );
    assert_eq!(read.operations[1].version.as_deref(), Some("W/\"4\""));
    assert_eq!(read.operations[3].data, None);
}

#[test]
fn refuses_with_the_operation() {
    let refusal = |body: Value| {
        let error = BulkRequest::from_json(&body, 2).expect_err("refused");
        (error.status, error.scim_type, error.detail)
    };
    let one = |operation: Value| refusal(json!({"Operations": [operation]}));
    assert_eq!(refusal(json!([])).0, 400);
    assert_eq!(refusal(json!({"Operations": []})).1, Some(ScimType::InvalidSyntax));
    assert_eq!(
        refusal(json!({"schemas": [urn::PATCH_OP], "Operations": [{}]})).1,
        Some(ScimType::InvalidSyntax)
    );
    let many = refusal(json!({"Operations": [{}, {}, {}]}));
    assert_eq!((many.0, many.1), (413, None));
    for (operation, detail) in [
        (json!(1), "Operations[0]: an operation must be an object"),
        (json!({}), "Operations[0]: \"method\" must be POST, PUT, PATCH or DELETE, not \"\""),
        (json!({"method": 1}), "Operations[0]: \"method\" must be a string"),
        (
            json!({"method": "DELETE", "path": "Users/1"}),
            "Operations[0]: \"path\" must begin with \"/\", such as \"/Users\" or \"/Users/2819c223\"",
        ),
        (json!({"method": "POST", "path": "/Users", "data": {}}), "Operations[0]: a POST needs a \"bulkId\""),
        (json!({"method": "PUT", "path": "/Users/1"}), "Operations[0]: a PUT needs \"data\""),
    ] {
        assert_eq!(one(operation).2, detail);
    }
    let twice = refusal(json!({"Operations": [user("a", json!({})), user("a", json!({}))]}));
    assert_eq!(twice.2, "Operations[1]: bulkId \"a\" is used by Operations[0] too");
    for count in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        assert!(refusal(json!({"failOnErrors": count, "Operations": [{}]})).2.starts_with("failOnErrors"));
    }
}

#[test]
fn references_are_found_and_replaced_wherever_they_stand() {
    let data = json!({
        "displayName": "bulkId", "members": [{"value": "bulkId:a", "$ref": "../Users/bulkId:a"}, {"value": "BULKID:b"}],
        "x": {"y": ["bulkId:", "no bulkId:c"]},
    });
    assert_eq!(references(&data), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(
        resolve(&data, &ids(&[("a", "1")])),
        json!({
            "displayName": "bulkId", "members": [{"value": "1", "$ref": "../Users/1"}, {"value": "BULKID:b"}],
            "x": {"y": ["bulkId:", "no bulkId:c"]},
        })
    );
    let patch =
        request(json!([{"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"value": "bulkId:a"}}]));
    let operation = &patch.operations[0];
    assert_eq!(operation.references().len(), 2);
    let resolved = operation.resolved(&ids(&[("a", "1"), ("g", "2")]));
    assert_eq!((resolved.path.as_str(), resolved.data), ("/Groups/2", Some(json!({"value": "1"}))));
}

#[test]
fn only_what_must_wait_is_moved() {
    let needs = |id: &str, other: &str| user(id, json!({"members": [{"value": format!("bulkId:{other}")}]}));
    assert_eq!(order(json!([user("a", json!({})), user("b", json!({})), needs("c", "a")])), [[0], [1], [2]]);
    assert_eq!(
        order(json!([needs("a", "c"), user("b", json!({})), user("c", json!({})), user("d", json!({}))])),
        [[1], [2], [0], [3]]
    );
    // A chain backwards; and operations on one resource keep their order.
    assert_eq!(order(json!([needs("a", "b"), needs("b", "c"), user("c", json!({}))])), [[2], [1], [0]]);
    let put = |value: &str| json!({"method": "PUT", "path": "/Groups/1", "data": {"members": [value]}});
    assert_eq!(order(json!([put("bulkId:a"), put("x"), user("a", json!({}))])), [[2], [0], [1]]);
}

#[test]
fn circles_are_found_and_unknown_references_named() {
    let manager = |id: &str, other: &str| {
        user(id, json!({(urn::ENTERPRISE_USER): {"manager": {"value": format!("bulkId:{other}")}}}))
    };
    let operations = json!([
        manager("a", "c"),
        manager("b", "a"),
        manager("c", "b"),
        manager("d", "d"),
        manager("e", "x")
    ]);
    let groups = bulk::order(&request(operations).operations).expect("an order");
    let shape: Vec<_> =
        groups.iter().map(|group| (group.operations.clone(), group.circular, group.unknown.len())).collect();
    assert_eq!(shape, [(vec![0, 1, 2], true, 0), (vec![3], true, 0), (vec![4], false, 1)]);
    assert_eq!(groups[2].unknown[&4], BTreeSet::from(["x".to_owned()]));
}

#[test]
fn a_circle_is_broken_by_adding_later() {
    let data = json!({
        "displayName": "G", "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}, {"value": "7"}],
        (urn::ENTERPRISE_USER): {"department": "R", "manager": {"value": "bulkId:b"}},
    });
    let (now, later) = postpone(&data, &ids(&[("a", "1")]));
    assert_eq!(
        now,
        json!({
            "displayName": "G", "members": [{"value": "bulkId:a"}, {"value": "7"}],
            (urn::ENTERPRISE_USER): {"department": "R"},
        })
    );
    let manager = format!("{}:manager", urn::ENTERPRISE_USER);
    assert_eq!(
        later.expect("something had to wait")["Operations"],
        json!([
            {"op": "add", "path": "members", "value": [{"value": "bulkId:b"}]},
            {"op": "add", "path": manager, "value": {"value": "bulkId:b"}},
        ])
    );
    assert_eq!(postpone(&data, &ids(&[("a", "1"), ("b", "2")])), (data, None));
}

#[test]
fn a_long_chain_and_a_dense_request_are_cheap() {
    let size = 3_000;
    let chain: Vec<Value> = (0..size)
        .map(|at| user(&at.to_string(), json!({"members": [{"value": format!("bulkId:{}", at + 1)}]})))
        .collect();
    let chain = BulkRequest::from_json(&json!({"Operations": chain}), size).expect("a request");
    let groups = bulk::order(&chain.operations).expect("an order");
    assert_eq!(groups.len(), size);
    assert_eq!((groups[0].operations[0], groups[0].unknown.len()), (size - 1, 1));
    let circle: Vec<Value> = (0..size)
        .map(|at| {
            user(&at.to_string(), json!({"members": [{"value": format!("bulkId:{}", (at + 1) % size)}]}))
        })
        .collect();
    let circle = BulkRequest::from_json(&json!({"Operations": circle}), size).expect("a request");
    assert_eq!(bulk::order(&circle.operations).expect("an order")[0].operations.len(), size);
}
