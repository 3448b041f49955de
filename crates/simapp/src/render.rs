//! Resources as clients see them: the stored document with `meta`, `groups` and `members`, cut to what was asked for.

use crate::call::Kind;
use crate::state::{Group, Id, User};
use crate::turn::View;
use scim::Projection;
use scim::datetime::rfc3339;
use serde_json::{Value, json};

impl View<'_> {
    /// A user as an answer shows it.
    pub(crate) fn user(self, user: &User, projection: &Projection) -> Value {
        let mut out = user.doc.clone();
        if self.config.render_user_groups && projection.wants(&self.types.user, "groups") {
            let id = id_of(&user.doc);
            let groups: Vec<Value> =
                self.state.groups_of(id).map(|group| self.group_reference(group)).collect();
            if !groups.is_empty() {
                out["groups"] = Value::Array(groups);
            }
        }
        out["meta"] = self.meta(Kind::Users, &user.doc, user.version, user.created_ms, user.modified_ms);
        if *projection == Projection::default() {
            return out;
        }
        projection.apply(&self.types.user, &out)
    }

    /// A group as an answer shows it.
    pub(crate) fn group(self, group: &Group, projection: &Projection) -> Value {
        let mut out = group.doc.clone();
        if projection.wants(&self.types.group, "members") {
            out["members"] = group.members.iter().map(|id| self.member(id)).collect();
        }
        out["meta"] = self.meta(Kind::Groups, &group.doc, group.version, group.created_ms, group.modified_ms);
        if *projection == Projection::default() {
            return out;
        }
        projection.apply(&self.types.group, &out)
    }

    /// One element of `members`.
    pub(crate) fn member(self, id: &str) -> Value {
        let kind = if self.state.user(id).is_some() {
            Kind::Users
        } else if self.state.group(id).is_some() {
            Kind::Groups
        } else {
            return json!({ "value": id });
        };
        json!({ "value": id, "type": kind.type_name(), "$ref": self.location(kind, id) })
    }

    /// Where a resource is read, absolute when the app knows its own address.
    pub(crate) fn location(self, kind: Kind, id: &str) -> String {
        [&self.config.public_url, &self.config.base_path, kind.endpoint(), "/", id].concat()
    }

    fn group_reference(self, id: &Id) -> Value {
        let name = self.state.group(id).and_then(|group| group.doc.get("displayName")).cloned();
        let location = self.location(Kind::Groups, id);
        json!({ "value": &**id, "$ref": location, "display": name, "type": "direct" })
    }

    fn meta(self, kind: Kind, doc: &Value, version: u64, created_ms: i64, modified_ms: i64) -> Value {
        json!({
            "resourceType": kind.type_name(),
            "created": rfc3339(created_ms),
            "lastModified": rfc3339(modified_ms),
            "location": self.location(kind, id_of(doc)),
            "version": etag(version),
        })
    }
}

impl Kind {
    /// The resource type's name, `User` or `Group`.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Users => "User",
            Self::Groups => "Group",
        }
    }
}

/// The weak entity tag of a version (RFC 7644 section 3.14).
pub(crate) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn id_of(doc: &Value) -> &str {
    doc.get("id").and_then(Value::as_str).unwrap_or_default()
}
