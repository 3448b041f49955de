//! What of a request may be written down: an allow-list by schema. Values of unknown attributes never, passwords never.

use scim::{AttrPath, Attribute, AttributeType, Mutability, PatchPath, ResourceType, Returned};
use serde_json::{Map, Value};

pub use crate::redaction_path::redact_path;

/// Stands for a value that is not written down.
pub(crate) const HIDDEN: &str = "[redacted]";

/// The longest text that is kept, in bytes.
const TEXT_MAX: usize = 512;
/// The most elements of a list, and members of an object, that are kept.
const ELEMENTS_MAX: usize = 50;
/// The most text that is kept of one body, in bytes.
const BODY_MAX: usize = 32 * 1024;
/// The deepest nesting that is kept.
const DEPTH_MAX: usize = 12;

/// Attributes that the schemas return and that still say too much: keys and certificates.
const SENSITIVE: [&str; 4] = ["password", "x509certificates", "secret", "token"];

/// Members of SCIM's own messages whose plain values may be kept (RFC 7644 sections 3.4.2, 3.5.2, 3.7, 3.12).
const OF_MESSAGES: [&str; 18] = [
    "op",
    "method",
    "bulkid",
    "version",
    "location",
    "status",
    "scimtype",
    "detail",
    "totalresults",
    "itemsperpage",
    "startindex",
    "count",
    "failonerrors",
    "sortby",
    "sortorder",
    "cursor",
    "nextcursor",
    "previouscursor",
];

/// A body as it may be written down. Known attributes that are not sensitive keep their values, everything else becomes
/// `[redacted]`; what is large is cut. `types` are the resource types of the endpoint. Total: any value gives a value.
pub fn redact(types: &[&ResourceType], body: &Value) -> Value {
    let mut redaction = Redaction { types, left: BODY_MAX };
    redaction.message(body, 0)
}

struct Redaction<'a> {
    types: &'a [&'a ResourceType],
    /// Bytes that may still be kept.
    left: usize,
}

impl<'a> Redaction<'a> {
    /// A resource, or one of SCIM's messages.
    fn message(&mut self, body: &Value, depth: usize) -> Value {
        match body {
            Value::Object(_) | Value::Array(_) if depth > DEPTH_MAX => hidden(),
            Value::Object(object) => self.object(object, depth),
            Value::Array(list) => self.list(list, depth, |this, item, depth| this.message(item, depth)),
            Value::Null => Value::Null,
            _ => hidden(),
        }
    }

    fn object(&mut self, object: &Map<String, Value>, depth: usize) -> Value {
        let operation = object.keys().any(|key| key.eq_ignore_ascii_case("op"));
        let mut kept = Map::new();
        for (key, value) in object.iter().take(ELEMENTS_MAX) {
            let shown = match key.to_ascii_lowercase().as_str() {
                "schemas" | "attributes" | "excludedattributes" => self.plain(value, depth),
                "operations" | "resources" | "response" | "data" => self.message(value, depth + 1),
                "value" if operation => self.operation_value(object, value, depth),
                "path" if operation => self.path(value),
                "path" => Value::from(redact_path(self.types, value.as_str().unwrap_or_default())),
                "filter" => Value::from(redact_filter(value)),
                name if OF_MESSAGES.contains(&name) => self.plain(value, depth),
                _ => self.member(key, value, depth),
            };
            kept.insert(self.name(key), shown);
        }
        if object.len() > ELEMENTS_MAX {
            kept.insert("[cut]".into(), Value::from(format!("{} more", object.len() - ELEMENTS_MAX)));
        }
        Value::Object(kept)
    }

    /// An attribute of a resource, under its name, a path (`name.givenName`, as some clients write it) or a schema's URN.
    fn member(&mut self, key: &str, value: &Value, depth: usize) -> Value {
        if let Some(schema) = self.types.iter().find_map(|rt| {
            rt.extension(key).or_else(|| rt.schema.id.eq_ignore_ascii_case(key).then_some(&rt.schema))
        }) {
            let Value::Object(members) = value else {
                return if value.is_null() { Value::Null } else { hidden() };
            };
            let mut kept = Map::new();
            for (name, value) in members.iter().take(ELEMENTS_MAX) {
                let shown = match schema.attribute(name) {
                    Some(attribute) => self.attribute(attribute, value, depth + 1),
                    None => hidden(),
                };
                kept.insert(self.name(name), shown);
            }
            return Value::Object(kept);
        }
        match self.known(key) {
            Some(attribute) => self.attribute(attribute, value, depth),
            None => hidden(),
        }
    }

    /// The value of a PATCH operation: what its path names, or a resource's attributes if it has none.
    fn operation_value(&mut self, operation: &Map<String, Value>, value: &Value, depth: usize) -> Value {
        let path = operation.iter().find(|(key, _)| key.eq_ignore_ascii_case("path"));
        match path.map(|(_, path)| path) {
            None | Some(Value::Null) => self.message(value, depth + 1),
            Some(Value::String(path)) if path.is_empty() => self.message(value, depth + 1),
            Some(Value::String(path)) => self.member(path, value, depth + 1),
            Some(_) => hidden(),
        }
    }

    fn path(&mut self, path: &Value) -> Value {
        let Some(text) = path.as_str() else { return if path.is_null() { Value::Null } else { hidden() } };
        let known = PatchPath::parse(text).is_ok_and(|path| {
            let inner = path.filter.iter().flat_map(scim::Filter::attributes);
            inner.map(|sub| format!("{}.{sub}", path.attr)).all(|name| self.known(&name).is_some())
                && self.known(&path.attr_path().to_string()).is_some()
        });
        if known { self.text(text) } else { Value::from(redact_filter(path)) }
    }

    /// The value of a known attribute.
    fn attribute(&mut self, attribute: &Attribute, value: &Value, depth: usize) -> Value {
        if value.is_null() {
            return Value::Null;
        }
        if is_sensitive(attribute) || depth > DEPTH_MAX {
            return hidden();
        }
        match value {
            Value::Array(list) => {
                self.list(list, depth, |this, item, depth| this.attribute(attribute, item, depth))
            }
            Value::Object(members) if attribute.kind == AttributeType::Complex => {
                let mut kept = Map::new();
                for (name, value) in members.iter().take(ELEMENTS_MAX) {
                    let shown = match attribute.sub(name) {
                        Some(sub) => self.attribute(sub, value, depth + 1),
                        None if name.eq_ignore_ascii_case("$ref") => self.plain(value, depth),
                        None => hidden(),
                    };
                    kept.insert(self.name(name), shown);
                }
                Value::Object(kept)
            }
            Value::Object(_) => hidden(),
            // A bare value of a complex attribute means its `value`: a manager, a member.
            _ if attribute.kind == AttributeType::Complex => match attribute.sub("value") {
                Some(sub) => self.attribute(sub, value, depth + 1),
                None => hidden(),
            },
            _ => self.plain(value, depth),
        }
    }

    /// The attribute that a name or path means in any of the resource types; none if it is sensitive in one of them.
    fn known(&self, name: &str) -> Option<&'a Attribute> {
        let path = AttrPath::parse(name).ok().or_else(|| Some(PatchPath::parse(name).ok()?.attr_path()))?;
        let types: &'a [&'a ResourceType] = self.types;
        let mut found = types.iter().filter_map(|rt| rt.resolve_with_parent(&path));
        let (parent, leaf) = found.next()?;
        let sensitive = parent.is_some_and(is_sensitive) || is_sensitive(leaf);
        (!sensitive && !found.any(|(_, other)| is_sensitive(other))).then_some(leaf)
    }

    fn list(
        &mut self,
        list: &[Value],
        depth: usize,
        mut each: impl FnMut(&mut Self, &Value, usize) -> Value,
    ) -> Value {
        if depth > DEPTH_MAX {
            return hidden();
        }
        let mut kept = vec![];
        for item in list.iter().take(ELEMENTS_MAX) {
            if self.left == 0 {
                break;
            }
            kept.push(each(self, item, depth + 1));
        }
        if kept.len() < list.len() {
            kept.push(Value::from(format!("[{} more]", list.len() - kept.len())));
        }
        Value::Array(kept)
    }

    /// A scalar, or a list of scalars.
    fn plain(&mut self, value: &Value, depth: usize) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => self.list(list, depth, |this, item, depth| this.plain(item, depth)),
            Value::Object(_) => hidden(),
            scalar => {
                self.left = self.left.saturating_sub(8);
                scalar.clone()
            }
        }
    }

    fn text(&mut self, text: &str) -> Value {
        let room = self.left.min(TEXT_MAX);
        let kept = if text.len() <= room {
            text.to_owned()
        } else {
            format!("{}[{} bytes in all]", &text[..text.floor_char_boundary(room)], text.len())
        };
        self.left = self.left.saturating_sub(kept.len());
        Value::from(kept)
    }

    /// Names are kept, so that an attribute that was dropped can be found; they are cut like texts.
    fn name(&mut self, name: &str) -> String {
        self.left = self.left.saturating_sub(name.len());
        name[..name.floor_char_boundary(120)].to_owned()
    }
}

fn is_sensitive(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never
        || attribute.mutability == Mutability::WriteOnly
        || attribute.kind == AttributeType::Binary
        || SENSITIVE.contains(&attribute.name.to_ascii_lowercase().as_str())
}

fn redact_filter(filter: &Value) -> String {
    crate::redaction_path::redact_filter(filter.as_str().unwrap_or_default())
}

fn hidden() -> Value {
    Value::from(HIDDEN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(body: &Value) -> Value {
        let (user, group) = (ResourceType::user(), ResourceType::group());
        redact(&[&user, &group], body)
    }

    #[test]
    fn known_attributes_stay_and_everything_else_goes() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "ada", "externalId": "00u1", "active": true, "PASSWORD": "canary-1",
            "name": {"givenName": "Ada", "nick": "canary-2"},
            "emails": [{"value": "ada@acme.example", "type": "work", "primary": true}],
            "x509Certificates": [{"value": "canary-3"}],
            "favourite": {"secret": "canary-4"},
            "displayName": {"nested": "canary-5"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                {"department": "R&D", "manager": {"value": "7"}, "pin": "canary-6"},
            "urn:example:other": {"a": "canary-7"},
            "name.familyName": "Lovelace", "password.value": "canary-8"
        });
        let kept = shown(&body);
        assert!(!kept.to_string().contains("canary"), "{kept}");
        for pointer in
            ["/userName", "/externalId", "/active", "/emails", "/name/givenName", "/name.familyName"]
        {
            assert_eq!(kept.pointer(pointer), body.pointer(pointer), "{pointer}");
        }
        let enterprise = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for name in ["department", "manager/value"] {
            let pointer = format!("{enterprise}/{name}");
            assert_eq!(kept.pointer(&pointer), body.pointer(&pointer));
        }
        assert_eq!(kept["favourite"], "[redacted]");
    }

    #[test]
    fn operations_keep_paths_and_values_of_known_attributes() {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@b.example"},
            {"op": "Add", "path": "members", "value": [{"value": "1"}, "2"]},
            {"op": "Replace", "path": "password", "value": "canary-1"},
            {"op": "Replace", "path": "tokens[value eq \"canary-2\"]", "value": "canary-3"},
            {"op": "Replace", "value": {"active": "False", "password": "canary-4", "pin": "canary-5"}},
            {"op": "Remove", "path": "x509Certificates[value eq \"canary-6\"]"},
            {"op": "Add", "path": ["canary-7"], "value": "canary-8"},
            {"op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "7"}
        ]});
        let kept = shown(&body);
        assert!(!kept.to_string().contains("canary"), "{kept}");
        for at in [0, 1, 7] {
            assert_eq!(kept["Operations"][at], body["Operations"][at]);
        }
        assert_eq!(kept["Operations"][2]["path"], "password");
        assert_eq!(kept["Operations"][3]["path"], "tokens[value eq \"[redacted]\"]");
        assert_eq!(kept["Operations"][4]["value"]["active"], "False");
    }

    #[test]
    fn lists_errors_and_bulk_keep_their_form() {
        let list = json!({"totalResults": 2, "Resources": [{"id": "1", "password": "canary"}]});
        assert_eq!(shown(&list)["Resources"][0], json!({"id": "1", "password": "[redacted]"}));
        let error = json!({"status": "409", "scimType": "uniqueness", "detail": "userName is taken"});
        assert_eq!(shown(&error), error);
        let bulk = json!({"Operations": [{"method": "POST", "path": "/Users", "bulkId": "a",
            "data": {"userName": "ada", "password": "canary"}}]});
        let kept = shown(&bulk);
        assert_eq!(kept["Operations"][0]["data"], json!({"userName": "ada", "password": "[redacted]"}));
        assert_eq!(kept["Operations"][0]["path"], "/Users");
    }

    #[test]
    fn what_is_large_or_deep_is_cut() {
        let members: Vec<Value> = (0..20_000).map(|n| json!({"value": n.to_string()})).collect();
        let kept = shown(&json!({"displayName": "x".repeat(100_000), "members": members}));
        assert!(kept.to_string().len() < 8_000);
        assert_eq!(kept["members"][50], "[19950 more]");
        let mut deep = json!({"data": "canary"});
        for _ in 0..120 {
            deep = json!({"data": deep});
        }
        assert!(!shown(&deep).to_string().contains("canary"));
        for odd in [json!(null), json!("canary"), json!(7), json!(["canary", ["canary"]])] {
            assert!(!shown(&odd).to_string().contains("canary"));
        }
    }
}
