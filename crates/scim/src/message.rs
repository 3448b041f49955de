//! The list message of RFC 7644 section 3.4.2, written exactly and read tolerantly.

use serde_json::{Map, Value, json};

use crate::error::ScimError;
use crate::path::member;
pub use crate::urn;

/// One page of a list or query answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ListResponse {
    /// How many resources match over all pages.
    pub total_results: u64,
    /// 1-based index of the first resource of this page.
    pub start_index: u64,
    /// How many resources this page holds (by the server's own word).
    pub items_per_page: u64,
    /// The resources of this page.
    pub resources: Vec<Value>,
}

impl ListResponse {
    /// A page whose `itemsPerPage` is the number of `resources`.
    pub fn new(total_results: u64, start_index: u64, resources: Vec<Value>) -> Self {
        Self { total_results, start_index, items_per_page: resources.len() as u64, resources }
    }

    /// The message body. `Resources` is always present, also when empty: clients index into it.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [urn::LIST_RESPONSE],
            "totalResults": self.total_results,
            "startIndex": self.start_index,
            "itemsPerPage": self.items_per_page,
            "Resources": self.resources,
        })
    }

    /// Reads a list body: numbers may be strings, names any case, `Resources` may be missing or null if the page
    /// holds nothing, `startIndex` and `itemsPerPage` may be missing. A body without `totalResults` is refused:
    /// taking it for an empty list would turn a foreign answer into "nobody is there".
    pub fn from_json(body: &Value) -> Result<Self, ScimError> {
        let object = body
            .as_object()
            .ok_or_else(|| ScimError::invalid_syntax("a list answer must be a JSON object"))?;
        let total_results = number(object, "totalResults")?
            .ok_or_else(|| ScimError::invalid_syntax("the list answer has no totalResults"))?;
        let items = number(object, "itemsPerPage")?;
        let resources = match member(object, "Resources") {
            Some(Value::Array(list)) => list.clone(),
            None | Some(Value::Null) if total_results == 0 || items == Some(0) => Vec::new(),
            None | Some(Value::Null) => {
                return Err(ScimError::invalid_syntax(format!(
                    "the list answer has no Resources although totalResults is {total_results}"
                )));
            }
            Some(_) => return Err(ScimError::invalid_syntax("Resources of the list answer is not a list")),
        };
        if let Some(place) = resources.iter().position(|resource| !resource.is_object()) {
            return Err(ScimError::invalid_syntax(format!("Resources[{place}] is not an object")));
        }
        Ok(Self {
            total_results,
            start_index: number(object, "startIndex")?.unwrap_or(1),
            items_per_page: items.unwrap_or(resources.len() as u64),
            resources,
        })
    }
}

fn number(object: &Map<String, Value>, name: &str) -> Result<Option<u64>, ScimError> {
    let found = match member(object, name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    found
        .map(Some)
        .ok_or_else(|| ScimError::invalid_syntax(format!("{name} of the list answer is not a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_lists_read_back() {
        let list = ListResponse::new(7, 3, vec![json!({"id": "a"}), json!({"id": "b"})]);
        assert_eq!(list.items_per_page, 2);
        assert_eq!(ListResponse::from_json(&list.to_json()), Ok(list));
        assert_eq!(ListResponse::new(0, 1, vec![]).to_json()["Resources"], json!([]));
    }

    #[test]
    fn reads_strings_for_numbers_and_missing_parts() {
        let list = ListResponse::from_json(&json!({"totalresults": "2", "resources": [{}, {}]})).unwrap();
        assert_eq!((list.total_results, list.start_index, list.items_per_page), (2, 1, 2));
        for body in [json!({"totalResults": 0}), json!({"totalResults": "0", "Resources": null})] {
            assert_eq!(ListResponse::from_json(&body).unwrap().resources, Vec::<Value>::new());
        }
        assert!(ListResponse::from_json(&json!({"totalResults": 9, "itemsPerPage": 0})).is_ok());
    }

    #[test]
    fn refuses_what_is_no_list() {
        for body in [
            json!([]),
            json!({}),
            json!({"Resources": []}),
            json!({"totalResults": 3}),
            json!({"totalResults": -1, "Resources": []}),
            json!({"totalResults": 1, "Resources": ["x"]}),
            json!({"totalResults": 1, "Resources": {"id": "1"}}),
        ] {
            assert!(ListResponse::from_json(&body).is_err(), "{body}");
        }
    }
}
