//! Carries out a PATCH request on a resource value (RFC 7644 section 3.5.2): all operations or none.

use serde_json::{Map, Value};

use crate::error::ScimError;
use crate::filter_check::check_element;
use crate::patch::{
    MAX_OPERATIONS, PatchOp, PatchOperation, PatchRequest, at_operation, too_many_operations,
};
use crate::patch_elements::Elements;
use crate::patch_path::PatchPath;
use crate::path::{AttrPath, is_core, key_of, member};
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, Mutability, Schema};

/// How many values one request may look at in whole passes over long lists, times the filter terms tested.
pub const MAX_WORK: usize = 1_000_000;

/// Carries out a request strictly by the schema and returns the changed resource; on an error nothing has changed,
/// since the input is only read. Unknown attributes are `invalidPath`, readOnly ones `mutability` (unless given
/// the value they hold), a `remove` without path and a `replace` whose selection matches nothing `noTarget`, a
/// value that does not suit its attribute `invalidValue`.
///
/// Where the RFC leaves room:
/// - `add` to a multi-valued attribute is a union: members are the same if `value` is, other values if `value` and
///   `type` are; sub-attributes given for a value that is present are merged into it.
/// - `primary: true` makes the other values' `primary` false.
/// - `add` with a selection of `eq` terms that matches nothing creates the element.
/// - `remove` with a list as `value` removes exactly those values, as Entra means it; an empty list removes none.
/// - Removing members that are absent succeeds, so that a repeated request does.
/// - Null means unassigned: `replace` with null removes, `add` of null does nothing.
/// - `schemas` follows the extensions that hold data; it cannot be patched.
pub fn apply(rt: &ResourceType, resource: &Value, req: &PatchRequest) -> Result<Value, ScimError> {
    let done = carry_out(rt, resource, req, false);
    done.map(|(changed, _)| changed).map_err(|(index, error)| match index {
        Some(index) => at_operation(error, index),
        None => error,
    })
}

/// A selection that matched nothing, where [`apply`] would have refused the request.
pub(crate) struct Absent {
    /// The path, without the selection's values.
    pub(crate) path: AttrPath,
    /// Whether the value was created from the selection; otherwise there was nothing to clear or remove.
    pub(crate) created: bool,
}

/// An error, and the position of the operation it is about.
pub(crate) type At<E> = (Option<usize>, E);

/// Like [`apply`]. If `tolerant`, a selection that matches nothing is no error: `replace` creates the value from its
/// `eq` terms, as `add` does, while `remove`, and `replace` with null, find done what they ask for.
pub(crate) fn carry_out(
    rt: &ResourceType,
    resource: &Value,
    req: &PatchRequest,
    tolerant: bool,
) -> Result<(Value, Vec<Absent>), At<ScimError>> {
    let object = resource
        .as_object()
        .ok_or_else(|| ScimError::invalid_syntax(format!("a {} must be a JSON object", rt.name)))
        .map_err(|error| (None, error))?;
    if req.operations.len() > MAX_OPERATIONS {
        return Err((None, too_many_operations()));
    }
    let mut draft = Draft { rt, object: object.clone(), lists: Vec::new(), tolerant, absent: Vec::new() };
    for (index, operation) in req.operations.iter().enumerate() {
        draft.operation(operation).map_err(|error| (Some(index), error))?;
        if draft.lists.iter().map(|open| open.elements.work()).sum::<usize>() > MAX_WORK {
            let error = ScimError::new(
                413,
                None,
                "the operations look through long lists too often; use fewer operations, or value eq",
            );
            return Err((None, error));
        }
    }
    let absent = std::mem::take(&mut draft.absent);
    Ok((draft.finish(), absent))
}

/// The resource while operations change it.
pub(crate) struct Draft<'a> {
    rt: &'a ResourceType,
    object: Map<String, Value>,
    /// Multi-valued attributes taken out of `object` until the end, so that their indexes live over operations.
    lists: Vec<OpenList<'a>>,
    tolerant: bool,
    absent: Vec<Absent>,
}

struct OpenList<'a> {
    place: Place<'a>,
    elements: Elements<'a>,
    was_list: bool,
}

/// Where an attribute stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The extension whose object holds it; `None` for the resource itself.
    pub(crate) extension: Option<&'a Schema>,
    pub(crate) attribute: &'a Attribute,
}

/// One operation on one attribute, resolved against the schema.
pub(crate) struct Step<'a, 'r> {
    pub(crate) op: PatchOp,
    pub(crate) place: Place<'a>,
    pub(crate) sub: Option<&'a Attribute>,
    pub(crate) path: &'r PatchPath,
    /// `None` only for `remove`.
    pub(crate) value: Option<&'r Value>,
    /// Whether a selection may match nothing.
    pub(crate) tolerant: bool,
}

/// How a selection went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selected {
    /// As the RFC has it.
    Lawfully,
    /// Nothing matched, and that is tolerated.
    Nothing,
    /// Nothing matched; the value was created although only `add` may.
    Created,
}

impl<'a> Draft<'a> {
    fn operation(&mut self, operation: &PatchOperation) -> Result<(), ScimError> {
        let value = match (operation.op, &operation.value) {
            (PatchOp::Remove, value) => value.as_ref(),
            (_, Some(value)) => Some(value),
            (op, None) => return Err(ScimError::invalid_value(format!("\"{op}\" needs a value"))),
        };
        let Some(path) = &operation.path else {
            if operation.op == PatchOp::Remove {
                return Err(ScimError::no_target("\"remove\" needs a path"));
            }
            return self.members_of(operation.op, None, value.unwrap_or(&Value::Null));
        };
        let whole = self.rt.whole_extension(path.urn.as_deref(), &path.attr, path.sub.as_deref());
        if let Some(extension) = whole.filter(|_| path.filter.is_none()) {
            return match (operation.op, value) {
                (PatchOp::Remove, _) | (PatchOp::Replace, Some(Value::Null)) => {
                    self.remove_extension(extension)
                }
                (op, value) => self.members_of(op, Some(extension), value.unwrap_or(&Value::Null)),
            };
        }
        self.step(operation.op, path, value)
    }

    /// A value that is an object of attributes, of the resource or of an extension. Keys may be paths themselves
    /// (`name.givenName`, `urn:…:User:department`), as Entra writes them.
    fn members_of(
        &mut self,
        op: PatchOp,
        extension: Option<&'a Schema>,
        value: &Value,
    ) -> Result<(), ScimError> {
        let object = match (value, extension) {
            (Value::Object(object), _) => object,
            (Value::Null, Some(_)) => return Ok(()),
            _ => {
                return Err(ScimError::invalid_value(
                    "without a path the value must be an object of attributes",
                ));
            }
        };
        for (name, value) in object {
            if name.eq_ignore_ascii_case("schemas") {
                // It follows from what is there, also inside an extension, where some clients repeat it.
                continue;
            }
            if let Some(extension) = extension {
                let mut path = PatchPath::parse(name)?;
                path.urn.get_or_insert_with(|| extension.id.clone());
                self.step(op, &path, Some(value))?;
            } else if let Some(extension) = self.rt.extension(name) {
                if value.is_null() && op == PatchOp::Replace {
                    self.remove_extension(extension)?;
                } else {
                    self.members_of(op, Some(extension), value)?;
                }
            } else {
                self.step(op, &PatchPath::parse(name)?, Some(value))?;
            }
        }
        Ok(())
    }

    fn step(&mut self, op: PatchOp, path: &PatchPath, value: Option<&Value>) -> Result<(), ScimError> {
        let (place, sub) = self.resolve(path)?;
        let step = Step { op, place, sub, path, value, tolerant: self.tolerant };
        if place.attribute.name == "schemas" && place.extension.is_none() {
            return Err(ScimError::mutability(
                "schemas follows from the attributes present and cannot be patched",
            ));
        }
        let read_only =
            [Some(place.attribute), sub].into_iter().flatten().any(|a| a.mutability == Mutability::ReadOnly);
        if read_only {
            let same = op != PatchOp::Remove && value.is_some_and(|value| self.holds(path, value));
            return if same { Ok(()) } else { Err(ScimError::mutability(format!("{path} is readOnly"))) };
        }
        if place.attribute.multi_valued {
            let selected = step.on_list(self.elements(place))?;
            if selected != Selected::Lawfully {
                let created = selected == Selected::Created;
                self.absent.push(Absent { path: path.attr_path(), created });
            }
            return Ok(());
        }
        step.on_single(self.container(place.extension))?;
        self.drop_empty_extension(place.extension);
        Ok(())
    }

    /// The attribute and sub-attribute a path names; refuses paths that the schema gives no meaning.
    fn resolve(&self, path: &PatchPath) -> Result<(Place<'a>, Option<&'a Attribute>), ScimError> {
        let unknown =
            || ScimError::invalid_path(format!("a {} has no attribute {}", self.rt.name, path.attr_path()));
        let (extension, attribute) = match path.urn.as_deref() {
            None => (None, self.rt.top_level(&path.attr)),
            Some(urn) if urn.eq_ignore_ascii_case(&self.rt.schema.id) => {
                (None, self.rt.top_level(&path.attr))
            }
            Some(urn) => {
                let extension = self.rt.extension(urn).ok_or_else(unknown)?;
                (Some(extension), extension.attribute(&path.attr))
            }
        };
        let attribute = attribute.ok_or_else(unknown)?;
        let sub = match &path.sub {
            None => None,
            Some(name) => Some(attribute.sub(name).ok_or_else(unknown)?),
        };
        match &path.filter {
            Some(_) if !attribute.multi_valued => {
                let name = &attribute.name;
                return Err(ScimError::invalid_path(format!(
                    "{path}: {name} has one value, nothing can be selected"
                )));
            }
            Some(filter) => check_element(filter, attribute)?,
            None if attribute.multi_valued && sub.is_some() => {
                let name = &attribute.name;
                return Err(ScimError::invalid_path(format!(
                    "{path}: select which value of {name} with \"{name}[…]\""
                )));
            }
            None => {}
        }
        Ok((Place { extension, attribute }, sub))
    }

    fn holds(&self, path: &PatchPath, value: &Value) -> bool {
        let object = match path.urn.as_deref().filter(|urn| !is_core(urn)) {
            None => Some(&self.object),
            Some(urn) => member(&self.object, urn).and_then(Value::as_object),
        };
        let held = object.and_then(|object| member(object, &path.attr));
        let held = match &path.sub {
            None => held,
            Some(sub) => held.and_then(Value::as_object).and_then(|held| member(held, sub)),
        };
        path.filter.is_none() && held.unwrap_or(&Value::Null) == value
    }

    /// The values of a multi-valued attribute, taken out of the resource at first use.
    fn elements(&mut self, place: Place<'a>) -> &mut Elements<'a> {
        let same = |open: &OpenList<'_>| {
            open.place.attribute.name == place.attribute.name
                && open.place.extension.map(|schema| &schema.id) == place.extension.map(|schema| &schema.id)
        };
        let position = self.lists.iter().position(same).unwrap_or_else(|| {
            let container = self.container(place.extension);
            let key = key_of(container, &place.attribute.name);
            let held = container.get_mut(&key).map(Value::take);
            let was_list = matches!(held, Some(Value::Array(_)));
            if !was_list && let Some(held) = &held {
                container.insert(key, held.clone());
            }
            let elements = Elements::new(place.attribute, held);
            self.drop_empty_extension(place.extension);
            self.lists.push(OpenList { place, elements, was_list });
            self.lists.len() - 1
        });
        &mut self.lists[position].elements
    }

    fn container(&mut self, extension: Option<&Schema>) -> &mut Map<String, Value> {
        let Some(extension) = extension else { return &mut self.object };
        let key = key_of(&self.object, &extension.id);
        let held = self.object.entry(key).or_insert(Value::Null);
        if !held.is_object() {
            *held = Value::Object(Map::new());
        }
        held.as_object_mut().expect("it was made an object just above")
    }

    fn remove_extension(&mut self, extension: &'a Schema) -> Result<(), ScimError> {
        self.put_back_lists();
        let key = key_of(&self.object, &extension.id);
        let names: Vec<String> = self
            .object
            .get(&key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let path = PatchPath { urn: Some(extension.id.clone()), attr: name, filter: None, sub: None };
            self.step(PatchOp::Remove, &path, None)?;
        }
        Ok(())
    }

    fn drop_empty_extension(&mut self, extension: Option<&Schema>) {
        let Some(extension) = extension else { return };
        let key = key_of(&self.object, &extension.id);
        if self.object.get(&key).and_then(Value::as_object).is_some_and(Map::is_empty) {
            self.object.remove(&key);
        }
    }

    fn put_back_lists(&mut self) {
        for OpenList { place, elements, was_list } in std::mem::take(&mut self.lists) {
            let (changed, list) = elements.finish();
            let container = self.container(place.extension);
            let key = key_of(container, &place.attribute.name);
            if changed && list.is_empty() {
                container.remove(&key);
            } else if changed || was_list {
                container.insert(key, Value::Array(list));
            }
            self.drop_empty_extension(place.extension);
        }
    }

    fn finish(mut self) -> Value {
        self.put_back_lists();
        let present: Vec<(&str, bool)> = self
            .rt
            .extensions
            .iter()
            .map(|extension| {
                let held = member(&self.object, &extension.id).and_then(Value::as_object);
                (extension.id.as_str(), held.is_some_and(|held| !held.is_empty()))
            })
            .collect();
        let key = key_of(&self.object, "schemas");
        if let Some(Value::Array(schemas)) = self.object.get_mut(&key) {
            for (urn, used) in present {
                let names = |item: &Value| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(urn));
                match (used, schemas.iter().any(names)) {
                    (true, false) => schemas.push(Value::from(urn)),
                    (false, true) => schemas.retain(|item| !names(item)),
                    _ => {}
                }
            }
        }
        Value::Object(self.object)
    }
}
