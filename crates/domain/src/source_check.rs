//! Checks of a mapping rule's source against the directory's schema: the attribute is there, its type and number fit.

use std::sync::LazyLock;

use scim::{AttrPath, Attribute, AttributeType, PatchPath, ResourceType};

use crate::expression::DependsOn;

/// What a user of the directory can have.
static DIRECTORY: LazyLock<ResourceType> = LazyLock::new(ResourceType::user);

/// An attribute of the user can be the value of a target. The error says what does not fit.
pub(crate) fn attribute(path: &PatchPath, target: &PatchPath, wanted: &Attribute) -> Result<(), String> {
    let (parent, found) = DIRECTORY.resolve_with_parent(&path.attr_path()).ok_or_else(|| {
        format!("'{path}' is no attribute of a user; check its spelling and its schema URN")
    })?;
    let text_like = |kind: &AttributeType| {
        matches!(
            kind,
            AttributeType::String
                | AttributeType::Reference
                | AttributeType::DateTime
                | AttributeType::Binary
        )
    };
    // One selected element of a list is one value; its parts are checked with each user.
    let whole = parent.is_none() && path.filter.is_none() && target.filter.is_none();
    if whole && found.multi_valued && !wanted.multi_valued {
        return Err(format!("'{path}' holds several values and the app takes one; name one of them"));
    }
    if whole && wanted.multi_valued && !found.multi_valued {
        return Err(format!("'{path}' is one value and the app takes a list; map one element of the list"));
    }
    if found.kind == wanted.kind || (text_like(&found.kind) && text_like(&wanted.kind)) {
        return Ok(());
    }
    Err(format!("'{path}' is {} and the app takes {}", name(&found.kind), name(&wanted.kind)))
}

/// Every attribute that an expression reads is one that a user can have.
pub(crate) fn dependencies(on: &DependsOn) -> Result<(), String> {
    for name in on.user.iter().filter(|name| *name != "*" && !known_otherwise(name)) {
        let path = AttrPath::parse(name).map_err(|_| format!("user.{name} is no attribute of a user"))?;
        let Some(attribute) = DIRECTORY.resolve(&path) else {
            return Err(format!("it uses '{name}', which is no attribute of a user; check its spelling"));
        };
        // `user.username` is not `user.userName`: expressions tell letter case apart, SCIM paths do not.
        if path.urn.is_none() && !on.reads_by_path() && attribute.name != *name {
            return Err(format!("it uses user.{name}; the attribute is written user.{}", attribute.name));
        }
    }
    Ok(())
}

/// In the document without being an attribute of the schema.
fn known_otherwise(name: &str) -> bool {
    ["externalId", "schemas"].contains(&name)
}

fn name(kind: &AttributeType) -> &'static str {
    match kind {
        AttributeType::Boolean => "a boolean",
        AttributeType::Integer => "a whole number",
        AttributeType::Decimal => "a number",
        AttributeType::Complex => "an attribute of several parts",
        _ => "a text",
    }
}
