//! Schemas as data: attributes and their characteristics (RFC 7643 sections 2, 7 and 8.7).

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A schema: a URN and the attributes it defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// The name, such as `User`.
    #[serde(default)]
    pub name: String,
    /// What a person should know.
    #[serde(default)]
    pub description: String,
    /// The attributes in the schema's order.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

/// One attribute or sub-attribute with its characteristics (RFC 7643 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// The name; compared without case.
    pub name: String,
    /// The data type.
    #[serde(rename = "type", default)]
    pub kind: AttributeType,
    /// Whether the value is a list.
    #[serde(default)]
    pub multi_valued: bool,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether every resource must have it.
    #[serde(default)]
    pub required: bool,
    /// Whether letter case counts when values are compared.
    #[serde(default)]
    pub case_exact: bool,
    /// Who may change it, and when.
    #[serde(default)]
    pub mutability: Mutability,
    /// When it is part of an answer.
    #[serde(default)]
    pub returned: Returned,
    /// Over which set its values are unique.
    #[serde(default)]
    pub uniqueness: Uniqueness,
    /// Suggested values, such as `work` and `home`; others are lawful.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// What a reference may point at: resource type names, `external` or `uri`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
    /// The sub-attributes of a complex attribute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
}

/// The data types of RFC 7643 section 2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    /// Text.
    #[default]
    String,
    /// true or false.
    Boolean,
    /// A real number.
    Decimal,
    /// A whole number.
    Integer,
    /// A point in time as xsd:dateTime.
    DateTime,
    /// Bytes in base 64.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

impl AttributeType {
    /// The name in messages, with its article: "a string".
    pub fn with_article(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Boolean => "a boolean",
            Self::Decimal => "a number",
            Self::Integer => "a whole number",
            Self::DateTime => "a dateTime",
            Self::Binary => "base 64 text",
            Self::Reference => "a reference (a string)",
            Self::Complex => "an object",
        }
    }
}

/// The mutability characteristic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// Only the service provider sets it.
    ReadOnly,
    /// Clients may change it at any time.
    #[default]
    ReadWrite,
    /// Set once, when the resource or value is created.
    Immutable,
    /// Written by clients, never returned.
    WriteOnly,
}

/// The returned characteristic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// In every answer, whatever `attributes` and `excludedAttributes` say.
    Always,
    /// In no answer.
    Never,
    /// Unless excluded or not among the requested attributes.
    #[default]
    Default,
    /// Only if requested by name.
    Request,
}

/// The uniqueness characteristic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// Not unique.
    #[default]
    None,
    /// Unique within the endpoint.
    Server,
    /// Unique everywhere.
    Global,
}

impl Schema {
    /// The core User schema (RFC 7643 section 4.1).
    pub fn user() -> Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| embedded(include_str!("../schemas/user.json"))).clone()
    }

    /// The core Group schema (RFC 7643 section 4.2).
    pub fn group() -> Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| embedded(include_str!("../schemas/group.json"))).clone()
    }

    /// The EnterpriseUser extension (RFC 7643 section 4.3).
    pub fn enterprise_user() -> Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| embedded(include_str!("../schemas/enterprise_user.json"))).clone()
    }

    /// The attribute of that name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

impl Attribute {
    /// The sub-attribute of that name, in any letter case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// What a comparison with this attribute looks at: itself, or `value` of a complex attribute (RFC 7644
    /// section 3.4.2.2). `None` for a complex attribute without `value`.
    pub fn comparable(&self) -> Option<&Attribute> {
        if self.kind == AttributeType::Complex { self.sub("value") } else { Some(self) }
    }
}

/// The attributes of every resource (RFC 7643 section 3.1): schemas, id, externalId, meta.
pub fn common_attributes() -> &'static [Attribute] {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    &SCHEMA.get_or_init(|| embedded(include_str!("../schemas/common.json"))).attributes
}

pub(crate) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

fn embedded(text: &str) -> Schema {
    serde_json::from_str(text).expect("the embedded schema files are valid: a test reads each")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_schemas_are_complete() {
        let (user, group, enterprise) = (Schema::user(), Schema::group(), Schema::enterprise_user());
        assert_eq!((user.attributes.len(), group.attributes.len(), enterprise.attributes.len()), (21, 2, 6));
        assert_eq!(user.id, crate::urn::USER);
        assert_eq!(group.id, crate::urn::GROUP);
        assert_eq!(enterprise.id, crate::urn::ENTERPRISE_USER);
        assert_eq!(common_attributes().len(), 4);
        for attribute in [user, group, enterprise].iter().flat_map(|schema| &schema.attributes) {
            assert_eq!(attribute.kind == AttributeType::Complex, !attribute.sub_attributes.is_empty());
            assert!(!attribute.description.is_empty());
        }
    }

    #[test]
    fn schemas_survive_serialization() {
        for text in [include_str!("../schemas/user.json"), include_str!("../schemas/group.json")] {
            let schema = embedded(text);
            let written = serde_json::to_value(&schema).unwrap();
            assert_eq!(serde_json::from_value::<Schema>(written.clone()).unwrap(), schema);
            assert!(written["attributes"][0].get("multiValued").is_some());
        }
    }

    #[test]
    fn defaults_are_those_of_the_rfc() {
        let attribute: Attribute = serde_json::from_str(r#"{"name":"badge"}"#).unwrap();
        assert_eq!(attribute.kind, AttributeType::String);
        assert_eq!(attribute.mutability, Mutability::ReadWrite);
        assert_eq!(attribute.returned, Returned::Default);
        assert!(!attribute.case_exact && !attribute.required && !attribute.multi_valued);
    }
}
