//! Bodies of POST and PUT: checked against the schema and brought into its letter case.

use serde_json::{Map, Value, json};

use crate::datetime::parse_datetime;
use crate::error::{ScimError, ScimType};
use crate::path::{member, shown};
pub use crate::project::project;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType, Mutability};

/// Checks the body of a POST or PUT and returns it as it may be stored: names in the schema's letter case, readOnly
/// attributes (id, meta, groups) left out, null and empty values left out, `schemas` naming what is used. Refuses
/// unknown attributes, wrong types, lists for single values and the reverse, and missing required attributes.
pub fn validate(rt: &ResourceType, body: &Value) -> Result<Value, ScimError> {
    let object = body
        .as_object()
        .ok_or_else(|| ScimError::invalid_syntax(format!("a {} must be a JSON object", rt.name)))?;
    let mut checked = Map::new();
    let mut used = vec![rt.schema.id.clone()];
    let mut core = Vec::new();
    for (name, value) in object {
        if name.eq_ignore_ascii_case("schemas") {
            check_schemas(rt, value)?;
        } else if let Some(extension) = rt.extension(name) {
            let place = |misfit: Misfit| ScimError::from(misfit.inside(&format!("{}:", extension.id)));
            let attributes = match value {
                Value::Null => Map::new(),
                Value::Object(given) => {
                    normalise_members(given, |name| extension.attribute(name)).map_err(place)?
                }
                other => return Err(Misfit::wrong_type("an object", other).at(&extension.id).into()),
            };
            if !attributes.is_empty() {
                require(&extension.attributes, &attributes, &format!("{}:", extension.id))?;
                used.push(extension.id.clone());
                if checked.insert(extension.id.clone(), Value::Object(attributes)).is_some() {
                    return Err(ScimError::invalid_syntax(format!("{} is given twice", extension.id)));
                }
            }
        } else {
            core.push((name, value));
        }
    }
    let core = normalise_members(core, |name| rt.top_level(name)).map_err(ScimError::from)?;
    require(&rt.schema.attributes, &core, "")?;
    checked.extend(core);
    checked.insert("schemas".to_owned(), json!(used));
    Ok(Value::Object(checked))
}

/// The one case folding: two texts that differ only in letter case fold to the same text. Nothing is trimmed. Each
/// character folds by itself, so a folded prefix is a prefix of the folded text.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // The final sigma is the one lower case letter with two forms.
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Whether a value suits an attribute: type, list or single, sub-attributes. Null always does: it means unassigned.
/// The message names the place below the attribute.
pub fn check_type(attribute: &Attribute, value: &Value) -> Result<(), String> {
    normalise(attribute, value).map(|_| ()).map_err(|misfit| misfit.at(&attribute.name).to_string())
}

/// Why a value does not suit, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    place: String,
    reason: String,
    kind: ScimType,
}

impl Misfit {
    fn value(reason: impl Into<String>) -> Self {
        Self { place: String::new(), reason: reason.into(), kind: ScimType::InvalidValue }
    }

    fn syntax(reason: impl Into<String>) -> Self {
        Self { kind: ScimType::InvalidSyntax, ..Self::value(reason) }
    }

    fn wrong_type(wanted: &str, found: &Value) -> Self {
        Self::value(format!("must be {wanted}, not {}", describe(found)))
    }

    /// The same below an attribute or element: `name` before `.sub`, `[0]` before `.value`.
    pub(crate) fn at(mut self, name: &str) -> Self {
        let separator = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{name}{separator}{}", self.place);
        self
    }

    fn inside(mut self, prefix: &str) -> Self {
        self.place = format!("{prefix}{}", self.place);
        self
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.place, self.reason)
    }
}

impl From<Misfit> for ScimError {
    fn from(misfit: Misfit) -> Self {
        Self::new(400, Some(misfit.kind), misfit.to_string())
    }
}

/// The value of an attribute as it may be stored; `None` if it is unassigned (null, an empty list or object).
pub(crate) fn normalise(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Misfit> {
    if value.is_null() {
        return Ok(None);
    }
    if !attribute.multi_valued {
        return normalise_single(attribute, value);
    }
    let list = value.as_array().ok_or_else(|| Misfit::wrong_type("a list", value))?;
    let mut elements = Vec::with_capacity(list.len());
    for (index, element) in list.iter().enumerate() {
        let at_index = |misfit: Misfit| misfit.at(&format!("[{index}]"));
        let Some(element) = normalise_single(attribute, element).map_err(at_index)? else { continue };
        if let Some(sub) = missing_sub(attribute, &element) {
            return Err(at_index(Misfit::value("is required").at(&sub.name)));
        }
        elements.push(element);
    }
    if elements.iter().filter(|element| is_primary(element)).count() > 1 {
        return Err(Misfit::value("has more than one primary value"));
    }
    Ok((!elements.is_empty()).then_some(Value::Array(elements)))
}

/// One value: an element of a multi-valued attribute, or the value of a single-valued one.
pub(crate) fn normalise_single(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Misfit> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (AttributeType::Complex, Value::Object(given)) => {
            let members = normalise_members(given, |name| attribute.sub(name))?;
            Ok((!members.is_empty()).then_some(Value::Object(members)))
        }
        (kind, value) if suits(kind, value) => Ok(Some(value.clone())),
        (kind, value) => Err(Misfit::wrong_type(kind.with_article(), value)),
    }
}

/// The required sub-attribute that a complete element lacks.
pub(crate) fn missing_sub<'a>(attribute: &'a Attribute, element: &Value) -> Option<&'a Attribute> {
    let element = element.as_object()?;
    attribute
        .sub_attributes
        .iter()
        .find(|sub| sub.required && member(element, &sub.name).is_none_or(is_blank))
}

pub(crate) fn is_primary(element: &Value) -> bool {
    element.as_object().and_then(|object| member(object, "primary")) == Some(&Value::Bool(true))
}

/// Whether a required attribute would be left without content.
pub(crate) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn normalise_members<'a, 'g>(
    given: impl IntoIterator<Item = (&'g String, &'g Value)>,
    attribute_of: impl Fn(&str) -> Option<&'a Attribute>,
) -> Result<Map<String, Value>, Misfit> {
    let mut members = Map::new();
    for (name, value) in given {
        let attribute =
            attribute_of(name).ok_or_else(|| Misfit::syntax("is unknown to the schema").at(&shown(name)))?;
        // RFC 7644 sections 3.3 and 3.5.1: what clients say about readOnly attributes is ignored.
        if attribute.mutability == Mutability::ReadOnly {
            continue;
        }
        let value = normalise(attribute, value).map_err(|misfit| misfit.at(&attribute.name))?;
        if let Some(value) = value
            && members.insert(attribute.name.clone(), value).is_some()
        {
            return Err(Misfit::syntax("is given twice").at(&attribute.name));
        }
    }
    Ok(members)
}

fn check_schemas(rt: &ResourceType, schemas: &Value) -> Result<(), ScimError> {
    let list = match schemas {
        Value::Null => return Ok(()),
        Value::Array(list) => list,
        other => return Err(Misfit::wrong_type("a list", other).at("schemas").into()),
    };
    let named = |item: &Value| item.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(&rt.schema.id));
    if list.is_empty() || list.iter().any(named) {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("schemas must name {}", rt.schema.id)))
}

fn require(attributes: &[Attribute], given: &Map<String, Value>, prefix: &str) -> Result<(), ScimError> {
    let missing = attributes.iter().find(|attribute| {
        attribute.required
            && attribute.mutability != Mutability::ReadOnly
            && given.get(&attribute.name).is_none_or(is_blank)
    });
    match missing {
        Some(attribute) => Err(ScimError::invalid_value(format!("{prefix}{} is required", attribute.name))),
        None => Ok(()),
    }
}

fn suits(kind: AttributeType, value: &Value) -> bool {
    match (kind, value) {
        // NUL is lawful JSON, but no text column holds it.
        (AttributeType::String | AttributeType::Reference, Value::String(text)) => !text.contains('\0'),
        (AttributeType::Binary, Value::String(text)) => is_base64(text),
        (AttributeType::DateTime, Value::String(text)) => parse_datetime(text).is_some(),
        (AttributeType::Boolean, Value::Bool(_)) | (AttributeType::Decimal, Value::Number(_)) => true,
        (AttributeType::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

/// Both alphabets, with or without padding; line breaks as PEM has them.
fn is_base64(text: &str) -> bool {
    let content = text.trim_end_matches('=');
    text.len() - content.len() <= 2
        && content.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\r' | b'\n')
        })
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        // The text itself may be personal data or a secret: its length is enough to find it.
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urn;

    fn refusal(rt: &ResourceType, body: Value) -> (ScimType, String) {
        let error = validate(rt, &body).unwrap_err();
        assert_eq!(error.status, 400);
        (error.scim_type.unwrap(), error.detail)
    }

    #[test]
    fn stores_the_schemas_spelling_without_read_only_and_null() {
        let body = json!({
            "SCHEMAS": [urn::USER, "urn:example:unknown"],
            "USERNAME": "ann", "id": 7, "meta": "x", "groups": [], "title": null, "roles": [], "name": {"givenname": "Ann"},
            "emails": [{"Value": "a@x", "TYPE": "work", "primary": true}, null],
            (urn::ENTERPRISE_USER.to_uppercase()): {"DEPARTMENT": "R", "manager": {"value": "m", "displayName": "Boss"}},
        });
        assert_eq!(
            validate(&ResourceType::user(), &body).unwrap(),
            json!({
                "schemas": [urn::USER, urn::ENTERPRISE_USER],
                "userName": "ann", "name": {"givenName": "Ann"},
                "emails": [{"value": "a@x", "type": "work", "primary": true}],
                (urn::ENTERPRISE_USER): {"department": "R", "manager": {"value": "m"}},
            })
        );
        let empty_extension = json!({"userName": "ann", (urn::ENTERPRISE_USER): null});
        assert_eq!(
            validate(&ResourceType::user(), &empty_extension).unwrap(),
            json!({"schemas": [urn::USER], "userName": "ann"})
        );
    }

    #[test]
    fn refuses_with_place_and_rule() {
        let user = ResourceType::user();
        let long = format!("{}:badge", urn::ENTERPRISE_USER);
        for (body, kind, detail) in [
            (json!([]), ScimType::InvalidSyntax, "a User must be a JSON object"),
            (json!({}), ScimType::InvalidValue, "userName is required"),
            (json!({"userName": " "}), ScimType::InvalidValue, "userName is required"),
            (json!({"userName": 7}), ScimType::InvalidValue, "userName must be a string, not the number 7"),
            (
                json!({"userName": "a\0"}),
                ScimType::InvalidValue,
                "userName must be a string, not a text of 2 characters",
            ),
            (json!({"userName": "a", "shoe": 1}), ScimType::InvalidSyntax, "shoe is unknown to the schema"),
            (json!({"userName": "a", "USERNAME": "b"}), ScimType::InvalidSyntax, "userName is given twice"),
            (
                json!({"userName": "a", "name": {"x": 1}}),
                ScimType::InvalidSyntax,
                "name.x is unknown to the schema",
            ),
            (
                json!({"userName": "a", "active": "True"}),
                ScimType::InvalidValue,
                "active must be a boolean, not a text of 4 characters",
            ),
            (
                json!({"userName": "a", "emails": {}}),
                ScimType::InvalidValue,
                "emails must be a list, not an object",
            ),
            (
                json!({"userName": "a", "title": []}),
                ScimType::InvalidValue,
                "title must be a string, not a list",
            ),
            (
                json!({"userName": "a", "emails": [{"value": "x"}, {"value": true}]}),
                ScimType::InvalidValue,
                "emails[1].value must be a string, not the boolean true",
            ),
            (
                json!({"userName": "a", "emails": [{"value": "x", "primary": true}, {"value": "y", "primary": true}]}),
                ScimType::InvalidValue,
                "emails has more than one primary value",
            ),
            (
                json!({"userName": "a", "schemas": [urn::GROUP]}),
                ScimType::InvalidValue,
                &format!("schemas must name {}", urn::USER),
            ),
            (
                json!({"userName": "a", (urn::ENTERPRISE_USER): {"badge": 1}}),
                ScimType::InvalidSyntax,
                &format!("{long} is unknown to the schema"),
            ),
        ] {
            assert_eq!(refusal(&user, body), (kind, detail.to_owned()));
        }
    }

    #[test]
    fn validating_twice_changes_nothing() {
        let body = json!({"displayName": "G", "externalId": "e", "members": [{"value": "1", "$ref": "x", "display": "d"}]});
        let once = validate(&ResourceType::group(), &body).unwrap();
        assert_eq!(validate(&ResourceType::group(), &once).unwrap(), once);
    }

    #[test]
    fn folding_ignores_case_only() {
        for (a, b) in [("ANN", "ann"), ("ÉLODIE", "élodie"), ("ΑΣ", "ας"), ("ẞ", "ß"), ("Iİ", "iİ")]
        {
            assert_eq!(fold(a), fold(b));
        }
        assert_eq!(fold(" A "), " a ");
        assert!(fold("ΟΔΥΣΣΕΥΣ").starts_with(&fold("ΟΔΥΣ")));
        assert_ne!(fold("é"), fold("e"));
    }

    #[test]
    fn check_type_names_the_place() {
        let user = ResourceType::user();
        let emails = user.top_level("emails").unwrap();
        assert_eq!(check_type(emails, &json!([{"value": "x"}])), Ok(()));
        assert_eq!(check_type(emails, &Value::Null), Ok(()));
        assert_eq!(
            check_type(emails, &json!("x")),
            Err("emails must be a list, not a text of 1 characters".to_owned())
        );
        assert!(check_type(emails, &json!([{"value": 1}])).unwrap_err().starts_with("emails[0].value "));
        let certificates = user.top_level("x509Certificates").unwrap();
        assert_eq!(check_type(certificates, &json!([{"value": "MIIB+/=="}])), Ok(()));
        assert!(check_type(certificates, &json!([{"value": "not base 64!"}])).is_err());
    }
}
