//! Provisional.
use serde_json::Value;

use crate::{AttrPath, ResourceType, ScimError};

/// Provisional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    /// p
    pub attributes: Vec<AttrPath>,
    /// p
    pub excluded: Vec<AttrPath>,
}
/// p
#[derive(Clone, Debug, PartialEq)]
pub enum Paging {
    /// p
    Index {
        /// p
        start: u64,
        /// p
        count: Option<u64>,
    },
    /// p
    Cursor {
        /// p
        cursor: Option<String>,
        /// p
        count: Option<u64>,
    },
}
/// p
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// p
    pub filter: Option<String>,
    /// p
    pub sort_by: Option<AttrPath>,
    /// p
    pub descending: bool,
    /// p
    pub paging: Paging,
    /// p
    pub projection: Projection,
}
impl Projection {
    /// p
    pub fn wants(&self, _rt: &ResourceType, name: &str) -> bool {
        let names = |path: &AttrPath| path.attr.eq_ignore_ascii_case(name);
        if self.attributes.is_empty() {
            !self.excluded.iter().any(|path| path.sub.is_none() && names(path))
        } else {
            self.attributes.iter().any(names)
        }
    }
}
impl ListQuery {
    /// p
    pub fn from_parameters(pairs: &[(String, String)]) -> Result<Self, ScimError> {
        let get =
            |name: &str| pairs.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        let paths = |name: &str| -> Result<Vec<AttrPath>, ScimError> {
            get(name)
                .unwrap_or("")
                .split(',')
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(AttrPath::parse)
                .collect()
        };
        let number = |name: &str| get(name).and_then(|t| t.trim().parse::<i64>().ok());
        let count = number("count").map(|n| n.max(0) as u64);
        Ok(Self {
            filter: get("filter").map(str::to_owned),
            sort_by: get("sortBy").map(AttrPath::parse).transpose()?,
            descending: get("sortOrder").is_some_and(|t| t.eq_ignore_ascii_case("descending")),
            paging: match get("cursor") {
                Some(cursor) => {
                    Paging::Cursor { cursor: Some(cursor.to_owned()).filter(|c| !c.is_empty()), count }
                }
                None => Paging::Index { start: number("startIndex").unwrap_or(1).max(1) as u64, count },
            },
            projection: Projection {
                attributes: paths("attributes")?,
                excluded: paths("excludedAttributes")?,
            },
        })
    }
    /// p
    pub fn from_search(body: &Value) -> Result<Self, ScimError> {
        let pairs: Vec<(String, String)> = body
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                    other => other.to_string(),
                };
                (name.clone(), text)
            })
            .collect();
        Self::from_parameters(&pairs)
    }
}
/// p
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let mut out = vec![];
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'%'
                && let Some(hex) = text.get(at + 1..at + 3)
                && let Ok(byte) = u8::from_str_radix(hex, 16)
            {
                out.push(byte);
                at += 3;
            } else {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}
