//! Bulk requests: an order in which everything referred to comes first, and circles that can be broken.

use std::collections::{BTreeMap, BTreeSet};

use scim::bulk::{BulkMethod, BulkRequest, order, postpone, references, resolve};

use crate::parts::{fields, json_field};

const MAX_OPERATIONS: usize = 200;

/// Fields: the body of a bulk request as JSON.
pub fn bulk(data: &[u8]) {
    let Some(body) = json_field(&fields(data), 0) else { return };
    let request = match BulkRequest::from_json(&body, MAX_OPERATIONS) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(error.status, 400 | 413) && !error.detail.is_empty(), "{error}");
            return;
        }
    };
    let operations = &request.operations;
    assert!((1..=MAX_OPERATIONS).contains(&operations.len()));
    let groups = order(operations).expect("a request that was read has one creator for each bulk id");
    let mut done = BTreeSet::new();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut last_on: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        assert!(group.circular || group.operations.len() == 1);
        let creates = |at: &usize| {
            let operation = &operations[*at];
            operation.bulk_id.clone().filter(|_| operation.method == BulkMethod::Post)
        };
        let own: BTreeSet<String> = group.operations.iter().filter_map(creates).collect();
        for at in &group.operations {
            assert!(done.insert(*at), "nothing is done twice");
            let operation = &operations[*at];
            let unknown = group.unknown.get(at).cloned().unwrap_or_default();
            for id in operation.references() {
                let there = ids.contains_key(&id) || own.contains(&id);
                assert!(there != unknown.contains(&id), "{id} is there, or nobody makes it");
            }
            if operation.method != BulkMethod::Post {
                let earlier = last_on.insert(&operation.path, *at);
                assert!(earlier.is_none_or(|earlier| earlier < *at), "one resource keeps its order");
            }
            let Some(data) = &operation.data else { continue };
            let (now, later) = postpone(data, &ids);
            assert!(
                !data.is_object() || references(&now).iter().all(|id| ids.contains_key(id)),
                "what waits is left out: {now}"
            );
            assert_eq!(later.is_some(), now != *data);
        }
        ids.extend(own.into_iter().map(|id| (id, place.to_string())));
        for data in group.operations.iter().filter_map(|at| operations[*at].data.as_ref()) {
            let left = references(&resolve(data, &ids));
            assert!(
                left.iter().all(|id| !ids.contains_key(id)),
                "every known reference is replaced: {left:?}"
            );
        }
    }
    assert_eq!(done.len(), operations.len(), "nothing is left out");
}
