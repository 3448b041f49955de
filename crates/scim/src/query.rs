//! What a list request asks for (RFC 7644 sections 3.4.2 and 3.4.3, RFC 9865): filter, order, page, attributes.

use serde_json::{Map, Value};

use crate::error::{ScimError, ScimType};
use crate::path::{AttrPath, is_core, member};
use crate::project::project;
use crate::resource_type::ResourceType;
use crate::schema::Returned;
use crate::urn;

/// A list request, from query parameters or the body of a `.search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The filter as sent.
    pub filter: Option<String>,
    /// What the list is sorted by.
    pub sort_by: Option<AttrPath>,
    /// Whether the order is reversed.
    pub descending: bool,
    /// Which page.
    pub paging: Paging,
    /// Which attributes.
    pub projection: Projection,
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By index (RFC 7644 section 3.4.2.4).
    Index {
        /// From 1; less was read as 1.
        start: u64,
        /// The most resources wanted; negative was read as 0.
        count: Option<u64>,
    },
    /// By cursor (RFC 9865).
    Cursor {
        /// The cursor of an earlier answer; `None` asks for the first page.
        cursor: Option<String>,
        /// The most resources wanted, at least 1.
        count: Option<u64>,
    },
}

/// Which attributes an answer has (RFC 7644 section 3.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Only these, and those always returned; all if empty.
    pub attributes: Vec<AttrPath>,
    /// None of these.
    pub excluded: Vec<AttrPath>,
}

impl ListQuery {
    /// From decoded query parameters: names in any case, unknown ones ignored. A name given twice with different
    /// values is refused, as is `cursor` beside `startIndex`.
    pub fn from_parameters(pairs: &[(String, String)]) -> Result<Self, ScimError> {
        let text = |name| parameter(pairs, name);
        let number = |name| text(name)?.map(|text| whole_number(name, text)).transpose();
        Ok(Self {
            filter: text("filter")?.map(str::to_owned),
            sort_by: sort_by(text("sortBy")?)?,
            descending: descending(text("sortOrder")?)?,
            paging: paging(text("cursor")?, number("startIndex")?, number("count")?)?,
            projection: Projection::from_parameters(pairs)?,
        })
    }

    /// From the body of a `.search` (RFC 7644 section 3.4.3); null means not given.
    pub fn from_search(body: &Value) -> Result<Self, ScimError> {
        let object =
            body.as_object().ok_or_else(|| ScimError::invalid_syntax("a search must be a JSON object"))?;
        let schemas = member(object, "schemas").filter(|schemas| !schemas.is_null());
        let named = |id: &Value| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(urn::SEARCH_REQUEST));
        if schemas.is_some_and(|schemas| !schemas.as_array().is_some_and(|list| list.iter().any(named))) {
            let wanted = urn::SEARCH_REQUEST;
            return Err(ScimError::invalid_syntax(format!("schemas of a search must be [\"{wanted}\"]")));
        }
        let text = |name| search_text(object, name);
        Ok(Self {
            filter: text("filter")?.map(str::to_owned),
            sort_by: sort_by(text("sortBy")?)?,
            descending: descending(text("sortOrder")?)?,
            paging: paging(
                text("cursor")?,
                search_number(object, "startIndex")?,
                search_number(object, "count")?,
            )?,
            projection: Projection::new(
                search_names(object, "attributes")?,
                search_names(object, "excludedAttributes")?,
            )?,
        })
    }
}

impl Projection {
    /// From decoded query parameters, as any request that answers with a resource may have them.
    pub fn from_parameters(pairs: &[(String, String)]) -> Result<Self, ScimError> {
        let text = |name| parameter(pairs, name).map(Option::unwrap_or_default);
        Self::new(text("attributes")?.split(','), text("excludedAttributes")?.split(','))
    }

    fn new<'t>(
        attributes: impl IntoIterator<Item = &'t str>,
        excluded: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, ScimError> {
        let projection = Self { attributes: paths(attributes)?, excluded: paths(excluded)? };
        if !projection.attributes.is_empty() && !projection.excluded.is_empty() {
            return Err(ScimError::invalid_value(
                "attributes and excludedAttributes exclude each other: send one of them",
            ));
        }
        Ok(projection)
    }

    /// Whether an answer needs this top-level attribute of the core schema, so that costly ones, such as members,
    /// need not be loaded for nothing.
    pub fn wants(&self, rt: &ResourceType, top_level_attribute: &str) -> bool {
        let returned = rt.top_level(top_level_attribute).map_or(Returned::Default, |found| found.returned);
        let names = |path: &AttrPath| {
            path.attr.eq_ignore_ascii_case(top_level_attribute) && path.urn.as_deref().is_none_or(is_core)
        };
        match returned {
            Returned::Always => true,
            Returned::Never => false,
            Returned::Request => self.attributes.iter().any(names),
            Returned::Default if self.attributes.is_empty() => {
                !self.excluded.iter().any(|path| path.sub.is_none() && names(path))
            }
            Returned::Default => self.attributes.iter().any(names),
        }
    }

    /// The representation of a stored resource.
    pub fn apply(&self, rt: &ResourceType, resource: &Value) -> Value {
        project(rt, resource, &self.attributes, &self.excluded)
    }
}

/// The parameters of a query, decoded, in the order sent: `+` is a space, broken escapes stay as they are, bytes
/// that are no UTF-8 become U+FFFD. A leading `?` and empty parts are harmless.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let hex = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        out.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn parameter<'p>(pairs: &'p [(String, String)], name: &str) -> Result<Option<&'p str>, ScimError> {
    let mut found =
        pairs.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let first = found.next();
    if found.any(|other| Some(other) != first) {
        return Err(ScimError::invalid_value(format!("{name} is given twice, with different values")));
    }
    Ok(first.map(String::as_str))
}

fn paging(cursor: Option<&str>, start: Option<i64>, count: Option<i64>) -> Result<Paging, ScimError> {
    let count_from_0 = count.map(|count| u64::try_from(count).unwrap_or(0));
    let Some(cursor) = cursor else {
        let start = start.and_then(|start| u64::try_from(start).ok()).unwrap_or(1).max(1);
        return Ok(Paging::Index { start, count: count_from_0 });
    };
    if start.is_some() {
        return Err(ScimError::invalid_value("cursor and startIndex exclude each other: send one of them"));
    }
    if count.is_some_and(|count| count < 1) {
        let detail = "count must be 1 or more beside a cursor (RFC 9865)";
        return Err(ScimError::new(400, Some(ScimType::InvalidCount), detail));
    }
    Ok(Paging::Cursor { cursor: (!cursor.is_empty()).then(|| cursor.to_owned()), count: count_from_0 })
}

fn sort_by(text: Option<&str>) -> Result<Option<AttrPath>, ScimError> {
    text.filter(|text| !text.trim().is_empty()).map(|text| AttrPath::parse(text.trim())).transpose()
}

fn descending(text: Option<&str>) -> Result<bool, ScimError> {
    match text.map(str::trim) {
        None | Some("") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("ascending") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("descending") => Ok(true),
        Some(_) => Err(ScimError::invalid_value("sortOrder must be \"ascending\" or \"descending\"")),
    }
}

fn paths<'t>(names: impl IntoIterator<Item = &'t str>) -> Result<Vec<AttrPath>, ScimError> {
    names.into_iter().map(str::trim).filter(|name| !name.is_empty()).map(AttrPath::parse).collect()
}

/// A whole number of any size; what is beyond 64 bits is the largest or smallest there is.
fn whole_number(name: &str, text: &str) -> Result<i64, ScimError> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!("{name} must be a whole number")));
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(text.parse().unwrap_or(beyond))
}

fn search_text<'b>(object: &'b Map<String, Value>, name: &str) -> Result<Option<&'b str>, ScimError> {
    match member(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ScimError::invalid_value(format!("{name} must be a string"))),
    }
}

fn search_number(object: &Map<String, Value>, name: &str) -> Result<Option<i64>, ScimError> {
    match member(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => whole_number(name, text).map(Some),
        Some(value) => whole_number(name, &value.to_string()).map(Some),
    }
}

/// A list of names, or one text of names separated by commas.
fn search_names<'b>(object: &'b Map<String, Value>, name: &str) -> Result<Vec<&'b str>, ScimError> {
    let wrong = || ScimError::invalid_value(format!("{name} must be a list of strings"));
    match member(object, name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split(',').collect()),
        Some(Value::Array(list)) => list.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &str) -> Result<ListQuery, ScimError> {
        ListQuery::from_parameters(&parameters(query))
    }

    fn path(text: &str) -> AttrPath {
        AttrPath::parse(text).unwrap()
    }

    #[test]
    fn reads_what_identity_providers_send() {
        let query = read("?filter=userName+eq+%22a%2Bb%40x%22&StartIndex=1&COUNT=100&x=y&").unwrap();
        assert_eq!(query.filter.as_deref(), Some("userName eq \"a+b@x\""));
        assert_eq!(query.paging, Paging::Index { start: 1, count: Some(100) });
        assert_eq!((query.sort_by, query.descending), (None, false));
        assert_eq!(read("").unwrap(), read("?").unwrap());
        let query = read("excludedAttributes=members,%20groups,&sortby=name.familyName&sortOrder=Descending");
        let query = query.unwrap();
        assert_eq!(query.projection.excluded, [path("members"), path("groups")]);
        assert_eq!((query.sort_by, query.descending), (Some(path("name.familyName")), true));
    }

    #[test]
    fn pages_by_index_and_by_cursor() {
        for (query, paging) in [
            ("startIndex=0&count=-5", Paging::Index { start: 1, count: Some(0) }),
            ("startIndex=-7", Paging::Index { start: 1, count: None }),
            (
                "startIndex=99999999999999999999&count=99999999999999999999",
                Paging::Index { start: i64::MAX as u64, count: Some(i64::MAX as u64) },
            ),
            ("cursor", Paging::Cursor { cursor: None, count: None }),
            ("cursor=&count=10", Paging::Cursor { cursor: None, count: Some(10) }),
            ("cursor=VZUT", Paging::Cursor { cursor: Some("VZUT".to_owned()), count: None }),
        ] {
            assert_eq!(read(query).unwrap().paging, paging, "{query}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        for (query, kind, detail) in [
            ("count=ten", ScimType::InvalidValue, "count must be a whole number"),
            ("count=1.5", ScimType::InvalidValue, "count must be a whole number"),
            ("startIndex=", ScimType::InvalidValue, "startIndex must be a whole number"),
            (
                "cursor=a&startIndex=1",
                ScimType::InvalidValue,
                "cursor and startIndex exclude each other: send one of them",
            ),
            ("cursor&count=0", ScimType::InvalidCount, "count must be 1 or more beside a cursor (RFC 9865)"),
            (
                "attributes=a&excludedAttributes=b",
                ScimType::InvalidValue,
                "attributes and excludedAttributes exclude each other: send one of them",
            ),
            ("count=1&Count=2", ScimType::InvalidValue, "count is given twice, with different values"),
            ("sortOrder=up", ScimType::InvalidValue, "sortOrder must be \"ascending\" or \"descending\""),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!((error.scim_type, error.detail.as_str()), (Some(kind), detail), "{query}");
        }
        assert_eq!(read("attributes=1x").unwrap_err().scim_type, Some(ScimType::InvalidPath));
        assert_eq!(read("count=1&count=1").unwrap().paging, Paging::Index { start: 1, count: Some(1) });
    }

    #[test]
    fn a_search_says_the_same_as_a_query() {
        let body = json!({
            "schemas": [urn::SEARCH_REQUEST], "Attributes": ["userName", "name.familyName"], "filter": "active eq true",
            "sortBy": "userName", "sortOrder": "descending", "startIndex": "3", "count": 10, "cursor": null,
        });
        let query = read(
            "attributes=userName,name.familyName&filter=active+eq+true&sortBy=userName&sortOrder=descending&startIndex=3&count=10",
        );
        assert_eq!(ListQuery::from_search(&body), query);
        let cursor = ListQuery::from_search(&json!({"cursor": "", "count": 10})).unwrap().paging;
        assert_eq!(cursor, Paging::Cursor { cursor: None, count: Some(10) });
        for bad in [
            json!([]),
            json!({"schemas": [urn::PATCH_OP]}),
            json!({"filter": 1}),
            json!({"count": 1.5}),
            json!({"count": true}),
            json!({"attributes": {}}),
            json!({"attributes": [1]}),
        ] {
            assert!(ListQuery::from_search(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn decodes_escapes_and_leaves_broken_ones() {
        let value = |query: &str| parameters(query).pop().map(|(_, value)| value).unwrap_or_default();
        assert_eq!(value("x=%zz%4"), "%zz%4");
        assert_eq!(value("x=%C3%A9+%ff%"), "é \u{fffd}%");
        assert_eq!(value("x=a=b"), "a=b");
        assert_eq!(parameters("&&a&").len(), 1);
    }

    #[test]
    fn wants_only_what_the_answer_shows() {
        let group = ResourceType::group();
        let wants = |query: &str, name: &str| read(query).unwrap().projection.wants(&group, name);
        assert!(wants("", "members") && !wants("excludedAttributes=Members", "members"));
        assert!(!wants("attributes=id", "members") && wants("attributes=id", "id"));
        assert!(wants("attributes=members.value", "members"));
        assert!(wants("excludedAttributes=members.display", "members"));
        assert!(wants("attributes=urn:ietf:params:scim:schemas:core:2.0:Group:members", "members"));
        assert!(!wants("attributes=urn:example:ext:members", "members"));
        // As the projection sees it, which asks only whether a URN is one of the core schemas.
        assert!(wants("attributes=urn:ietf:params:scim:schemas:core:2.0:User:members", "members"));
        assert!(wants("excludedAttributes=id", "id"));
        assert!(!read("attributes=password").unwrap().projection.wants(&ResourceType::user(), "password"));
    }
}
