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
    /// Where the next page begins (RFC 9865); `None` on the last page, or if pages are counted by index.
    pub next_cursor: Option<String>,
    /// Where the page before begins (RFC 9865).
    pub previous_cursor: Option<String>,
}

impl ListResponse {
    /// A page whose `itemsPerPage` is the number of `resources`.
    pub fn new(total_results: u64, start_index: u64, resources: Vec<Value>) -> Self {
        let items_per_page = resources.len() as u64;
        Self {
            total_results,
            start_index,
            items_per_page,
            resources,
            next_cursor: None,
            previous_cursor: None,
        }
    }

    /// A page that is reached by cursor (RFC 9865).
    pub fn with_cursors(
        total_results: u64,
        resources: Vec<Value>,
        next: Option<String>,
        previous: Option<String>,
    ) -> Self {
        Self { next_cursor: next, previous_cursor: previous, ..Self::new(total_results, 1, resources) }
    }

    /// The message body. `Resources` is always present, also when empty: clients index into it. A page with a cursor
    /// has no `startIndex`, which would mean nothing there.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [urn::LIST_RESPONSE],
            "totalResults": self.total_results,
            "itemsPerPage": self.items_per_page,
            "Resources": self.resources,
        });
        let cursors = [("nextCursor", &self.next_cursor), ("previousCursor", &self.previous_cursor)];
        for (name, cursor) in cursors.into_iter().filter_map(|(name, cursor)| Some((name, cursor.as_ref()?)))
        {
            body[name] = json!(cursor);
        }
        if self.next_cursor.is_none() && self.previous_cursor.is_none() {
            body["startIndex"] = json!(self.start_index);
        }
        body
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
            next_cursor: cursor(object, "nextCursor"),
            previous_cursor: cursor(object, "previousCursor"),
        })
    }
}

/// An empty cursor would ask for the first page again, so it counts as none.
fn cursor(object: &Map<String, Value>, name: &str) -> Option<String> {
    member(object, name).and_then(Value::as_str).filter(|cursor| !cursor.is_empty()).map(str::to_owned)
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
    fn cursors_survive_the_wire() {
        for (next, previous) in [(Some("n"), None), (Some("n"), Some("p")), (None, Some("p"))] {
            let (next, previous) = (next.map(str::to_owned), previous.map(str::to_owned));
            let page = ListResponse::with_cursors(9, vec![json!({"id": "a"})], next, previous);
            assert_eq!(page.to_json().get("startIndex"), None);
            assert_eq!(ListResponse::from_json(&page.to_json()), Ok(page));
        }
        let last = ListResponse::from_json(&json!({"totalResults": 0, "nextCursor": ""})).unwrap();
        assert_eq!(last.next_cursor, None);
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
