//! A resource type: one core schema, its extensions and the common attributes, with path resolution.

use crate::path::AttrPath;
use crate::schema::{Attribute, Schema, common_attributes, find};

/// What a resource of one endpoint may contain (RFC 7643 section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// The name, such as `User`.
    pub name: String,
    /// The endpoint below the base URL, such as `/Users`.
    pub endpoint: String,
    /// The core schema.
    pub schema: Schema,
    /// The extensions; their attributes stand under the extension's URN.
    pub extensions: Vec<Schema>,
}

impl ResourceType {
    /// Users at `/Users`, with the EnterpriseUser extension.
    pub fn user() -> Self {
        Self {
            name: "User".to_owned(),
            endpoint: "/Users".to_owned(),
            schema: Schema::user(),
            extensions: vec![Schema::enterprise_user()],
        }
    }

    /// Groups at `/Groups`, without extensions.
    pub fn group() -> Self {
        Self {
            name: "Group".to_owned(),
            endpoint: "/Groups".to_owned(),
            schema: Schema::group(),
            extensions: Vec::new(),
        }
    }

    /// The same type with one more extension; it replaces one of the same URN.
    pub fn with_extension(mut self, extension: Schema) -> Self {
        self.extensions.retain(|present| !present.id.eq_ignore_ascii_case(&extension.id));
        self.extensions.push(extension);
        self
    }

    /// The attribute or sub-attribute that a path names; `None` if there is none.
    pub fn resolve(&self, path: &AttrPath) -> Option<&Attribute> {
        self.resolve_with_parent(path).map(|(_, leaf)| leaf)
    }

    /// Like [`ResourceType::resolve`], with the complex attribute if the path names a sub-attribute:
    /// `(parent, leaf)`.
    pub fn resolve_with_parent(&self, path: &AttrPath) -> Option<(Option<&Attribute>, &Attribute)> {
        self.resolve_parts(path.urn.as_deref(), &path.attr, path.sub.as_deref())
    }

    pub(crate) fn resolve_parts(
        &self,
        urn: Option<&str>,
        attr: &str,
        sub: Option<&str>,
    ) -> Option<(Option<&Attribute>, &Attribute)> {
        let attribute = match urn {
            None => self.top_level(attr),
            Some(urn) if urn.eq_ignore_ascii_case(&self.schema.id) => self.top_level(attr),
            Some(urn) => self.extension(urn)?.attribute(attr),
        }?;
        match sub {
            None => Some((None, attribute)),
            Some(sub) => attribute.sub(sub).map(|leaf| (Some(attribute), leaf)),
        }
    }

    /// The extension of that URN, in any letter case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|extension| extension.id.eq_ignore_ascii_case(urn))
    }

    /// The core or common attribute of that name, in any letter case.
    pub fn top_level(&self, name: &str) -> Option<&Attribute> {
        self.schema.attribute(name).or_else(|| find(common_attributes(), name))
    }

    /// The extension that a path means as a whole. A URN alone reads as a path whose attribute is the URN's last
    /// part, so only the schema can tell.
    pub(crate) fn whole_extension(
        &self,
        urn: Option<&str>,
        attr: &str,
        sub: Option<&str>,
    ) -> Option<&Schema> {
        let urn = urn?;
        if sub.is_some() {
            return None;
        }
        self.extensions.iter().find(|extension| {
            extension.id.len() == urn.len() + 1 + attr.len()
                && extension.id.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn))
                && extension.id.get(urn.len() + 1..).is_some_and(|tail| tail.eq_ignore_ascii_case(attr))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::AttributeType;

    fn resolve(rt: &ResourceType, path: &str) -> Option<String> {
        rt.resolve(&AttrPath::parse(path).unwrap()).map(|attribute| attribute.name.clone())
    }

    #[test]
    fn resolves_core_common_and_extension_attributes_in_any_case() {
        let user = ResourceType::user();
        for (path, name) in [
            ("USERNAME", "userName"),
            ("name.GIVENNAME", "givenName"),
            ("emails.$ref", ""),
            ("externalid", "externalId"),
            ("meta.lastModified", "lastModified"),
            ("groups.$REF", "$ref"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "value"),
            ("URN:IETF:params:scim:schemas:extension:enterprise:2.0:user:department", "department"),
            ("department", ""),
            ("urn:example:unknown:department", ""),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName", ""),
        ] {
            assert_eq!(resolve(&user, path).unwrap_or_default(), name, "{path}");
        }
    }

    #[test]
    fn parent_is_given_for_sub_attributes_only() {
        let user = ResourceType::user();
        let path = AttrPath::parse("emails.value").unwrap();
        let (parent, leaf) = user.resolve_with_parent(&path).unwrap();
        assert!(parent.unwrap().multi_valued && leaf.kind == AttributeType::String);
        let path = AttrPath::parse("emails").unwrap();
        assert!(user.resolve_with_parent(&path).unwrap().0.is_none());
    }

    #[test]
    fn an_extension_replaces_one_of_the_same_urn() {
        let mut extension = Schema::enterprise_user();
        extension.attributes.truncate(1);
        let user = ResourceType::user().with_extension(extension);
        assert_eq!(user.extensions.len(), 1);
        assert_eq!(user.extensions[0].attributes.len(), 1);
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0";
        assert!(user.whole_extension(Some(urn), "user", None).is_some());
        assert!(user.whole_extension(Some(urn), "Users", None).is_none());
    }
}
