//! The body of a POST or PUT, read by a dialect.

use serde_json::{Map, Value};

use super::given::{Given, Reader, Target};
use super::notes::Notes;
use super::quirk::Message;
use super::{Dialect, lawful};
use crate::error::ScimError;
use crate::path::key_of;
use crate::resource_type::ResourceType;

pub(super) fn read(
    rt: &ResourceType,
    dialect: Dialect,
    body: Value,
    notes: &mut Notes,
) -> Result<Value, ScimError> {
    let Value::Object(mut object) = body else {
        return Err(ScimError::invalid_syntax(format!("a {} must be a JSON object", rt.name)));
    };
    let mut reader = Reader::new(rt, dialect, notes);
    reader.body(Message::Resource(&mut object));
    lawful::resource_schemas(rt, &object)?;
    let key = key_of(&object, "schemas");
    let schemas = object.remove(&key);
    reader.members(object, None)?;
    reader.look();
    let mut found = std::mem::take(&mut reader.found);
    // What says it in so many words counts more than what was read as the same.
    found.sort_by_key(|given| given.moved_by.is_some());
    let mut resource = Map::new();
    for given in found.into_iter().filter(|given| !given.dropped) {
        lawful::given(rt, &given)?;
        place(rt, &mut resource, given, reader.notes)?;
    }
    resource.extend(schemas.map(|schemas| ("schemas".to_owned(), schemas)));
    Ok(Value::Object(resource))
}

/// Puts an attribute where the RFC has it.
fn place(
    rt: &ResourceType,
    resource: &mut Map<String, Value>,
    mut given: Given,
    notes: &mut Notes,
) -> Result<(), ScimError> {
    let (at, whole) = match given.target(rt) {
        Target::Extension(extension) => (extension.id.clone(), true),
        Target::Attribute { .. } if given.path.filter.is_none() => {
            given.canonical(rt);
            (given.path.attr.clone(), false)
        }
        // Nothing in the schema: it stays as written, and the check of the resource refuses it.
        Target::Attribute { .. } | Target::Unknown => (given.path.to_string(), true),
    };
    let container = match given.path.urn.as_ref().filter(|_| !whole) {
        None => resource,
        Some(urn) => object_at(resource, urn, &given)?,
    };
    let (container, name) = match &given.path.sub {
        Some(sub) if !whole => (object_at(container, &at, &given)?, sub.clone()),
        _ => (container, at),
    };
    let name = key_of(container, &name);
    match (container.contains_key(&name), given.moved_by) {
        (false, _) => {
            container.insert(name, given.value.unwrap_or(Value::Null));
        }
        (true, Some(quirk)) => {
            notes.quirk = quirk;
            notes.add(format!("{} again", given.place()), "ignored: it is given by its own name too");
        }
        (true, None) => return Err(ScimError::invalid_syntax(format!("{} is given twice", given.place()))),
    }
    Ok(())
}

fn object_at<'m>(
    object: &'m mut Map<String, Value>,
    name: &str,
    given: &Given,
) -> Result<&'m mut Map<String, Value>, ScimError> {
    let held = object.entry(name).or_insert(Value::Null);
    if held.is_null() {
        *held = Value::Object(Map::new());
    }
    held.as_object_mut().ok_or_else(|| {
        ScimError::invalid_syntax(format!("{}: {} is given as a whole too", given.place(), name))
    })
}
