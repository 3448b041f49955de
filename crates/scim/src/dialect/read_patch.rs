//! A PATCH body, read by a dialect: every operation one attribute at one path.

use serde_json::Value;

use super::given::{Given, Reader, Slot, Target, named_extension};
use super::notes::{Notes, shown};
use super::quirk::Message;
use super::{Dialect, lawful};
use crate::error::ScimError;
use crate::patch::{
    PatchOp, PatchOperation, PatchRequest, WrittenOperation, at_operation, request_object, written_operations,
};
use crate::patch_path::PatchPath;
use crate::path::key_of;
use crate::resource::normalise;
use crate::resource_type::ResourceType;
use crate::schema::Mutability;

pub(super) fn read(
    rt: &ResourceType,
    dialect: Dialect,
    body: Value,
    notes: &mut Notes,
) -> Result<PatchRequest, ScimError> {
    request_object(&body)?;
    let Value::Object(mut object) = body else { return Ok(PatchRequest::default()) };
    // Before the quirks look at each operation: a request may have too many of them.
    written_operations(&object)?;
    let mut reader = Reader::new(rt, dialect, notes);
    reader.body(Message::Patch(&mut object));
    lawful::patch_body(&object)?;
    let key = key_of(&object, "Operations");
    let Some(Value::Array(written)) = object.remove(&key) else { return Ok(PatchRequest::default()) };
    for (index, operation) in written.into_iter().enumerate() {
        reader.index = index;
        read_operation(&mut reader, operation).map_err(|error| at_operation(error, index))?;
    }
    reader.look();
    let mut operations = Vec::with_capacity(reader.found.len());
    for given in reader.found.into_iter().filter(|given| !given.dropped) {
        let index = given.index;
        operations.extend(finish(rt, given).map_err(|error| at_operation(error, index))?);
    }
    Ok(PatchRequest { operations })
}

fn read_operation(reader: &mut Reader<'_, '_>, mut operation: Value) -> Result<(), ScimError> {
    let WrittenOperation { op, path, .. } = WrittenOperation::read(&operation)?;
    let path = path.map(str::to_owned);
    let value = operation.as_object_mut().and_then(|operation| {
        let key = key_of(operation, "value");
        operation.remove(&key)
    });
    reader.op = Some(op);
    if op != PatchOp::Remove && value.is_none() {
        return Err(ScimError::invalid_value(format!("\"{op}\" needs a value")));
    }
    let rt = reader.rt;
    let Some(text) = path else {
        return match value {
            _ if op == PatchOp::Remove => Err(ScimError::no_target("\"remove\" needs a path")),
            Some(Value::Object(object)) => reader.members(object, None),
            _ => Err(ScimError::invalid_value("without a path the value must be an object of attributes")),
        };
    };
    let (text, moved_by) = reader.text(&text);
    if let (Some(extension), Some(value)) = (named_extension(rt, &text), &value)
        && op != PatchOp::Remove
    {
        return reader.extension(extension, value.clone(), moved_by);
    }
    let path = PatchPath::parse(&text)?;
    reader.push(path, value, false, moved_by)?;
    if let Some(given) = reader.found.last_mut() {
        given.at_path = true;
    }
    Ok(())
}

/// The operation, if there is anything left to do.
fn finish(rt: &ResourceType, mut given: Given) -> Result<Option<PatchOperation>, ScimError> {
    lawful::given(rt, &given)?;
    if matches!(given.target(rt), Target::Unknown) {
        return Err(ScimError::invalid_path(format!(
            "a {} has no attribute {}",
            rt.name,
            shown(&given.path.attr_path().to_string())
        )));
    }
    given.canonical(rt);
    let op = given.op.unwrap_or(PatchOp::Replace);
    if let Some(slot) = given.slot(rt).filter(|slot| slot.list)
        && let Some(value) = given.value.take()
    {
        match list(op, slot, value, &given.path)? {
            None if op == PatchOp::Replace => given.value = Some(Value::Null),
            None => return Ok(None),
            list => given.value = list,
        }
    }
    Ok(Some(PatchOperation { op, path: Some(given.path), value: given.value }))
}

/// The values of a whole list, as the schema has them; `None` if there is none.
fn list(op: PatchOp, slot: Slot<'_>, value: Value, path: &PatchPath) -> Result<Option<Value>, ScimError> {
    let value = match value {
        // Null neither names values nor asks for all of them.
        Value::Null if op == PatchOp::Remove => {
            return Err(ScimError::invalid_value(format!(
                "\"remove\" of {path} with a null value: name the values, or leave value out to remove all"
            )));
        }
        one if op == PatchOp::Add && !one.is_array() && !one.is_null() => Value::Array(vec![one]),
        value => value,
    };
    if slot.attribute.mutability == Mutability::ReadOnly {
        return Ok(Some(value));
    }
    normalise(slot.attribute, &value)
        .map_err(|misfit| ScimError::invalid_value(misfit.at(&path.to_string()).to_string()))
}
