//! One attribute that a request gives, wherever it stood: in a resource, at a path, or in a value without path.

use serde_json::{Map, Value};

use super::notes::{Notes, Parts, shown};
use super::quirk::Message;
use super::{Dialect, read_filter};
use crate::error::ScimError;
use crate::filter_eval::Scope;
use crate::patch::PatchOp;
use crate::patch_path::PatchPath;
use crate::path::AttrPath;
use crate::resource_type::ResourceType;
use crate::schema::{Attribute, AttributeType, Schema};

/// The most attributes that one request may give.
const MAX_GIVEN: usize = 1000;
/// The most values of one attribute in one request, but for members.
const MAX_VALUES: usize = 1000;

/// One attribute with its value.
pub(super) struct Given {
    /// The operation; `None` in a POST or PUT.
    pub(super) op: Option<PatchOp>,
    /// The operation's position in the request.
    pub(super) index: usize,
    pub(super) path: PatchPath,
    /// Whether it stood at a path of its own, not as a name in a value.
    pub(super) at_path: bool,
    /// Whether it stood as a name that is no attribute's name but a path: `name.givenName`.
    pub(super) composed: bool,
    /// The quirk that made another attribute of it.
    pub(super) moved_by: Option<&'static str>,
    /// `None` only for `remove`.
    pub(super) value: Option<Value>,
    /// Whether the value is one that `remove` does not have in the RFC.
    pub(super) stray: bool,
    /// Whether nothing is left to do.
    pub(super) dropped: bool,
}

/// What a path names.
pub(super) enum Target<'a> {
    Attribute { attribute: &'a Attribute, sub: Option<&'a Attribute> },
    Extension(&'a Schema),
    Unknown,
}

/// What a value is for.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) attribute: &'a Attribute,
    /// Whether it is a list of the attribute's values.
    pub(super) list: bool,
}

impl Given {
    pub(super) fn target<'a>(&self, rt: &'a ResourceType) -> Target<'a> {
        let PatchPath { urn, attr, sub, .. } = &self.path;
        if let Some(extension) = rt.whole_extension(urn.as_deref(), attr, sub.as_deref()) {
            return Target::Extension(extension);
        }
        match rt.resolve_parts(urn.as_deref(), attr, sub.as_deref()) {
            Some((Some(attribute), sub)) => Target::Attribute { attribute, sub: Some(sub) },
            Some((None, attribute)) => Target::Attribute { attribute, sub: None },
            None => Target::Unknown,
        }
    }

    /// What the value is for; `None` if the schema does not say.
    pub(super) fn slot<'a>(&self, rt: &'a ResourceType) -> Option<Slot<'a>> {
        match self.target(rt) {
            Target::Attribute { sub: Some(sub), .. } => Some(Slot { attribute: sub, list: sub.multi_valued }),
            Target::Attribute { attribute, sub: None } => {
                let list = attribute.multi_valued && self.path.filter.is_none();
                Some(Slot { attribute, list })
            }
            Target::Extension(_) | Target::Unknown => None,
        }
    }

    /// Where it stood, without the values of a selection.
    pub(super) fn place(&self) -> String {
        let path = shown(&self.path.attr_path().to_string());
        if self.op.is_some() { format!("Operations[{}]: {path}", self.index) } else { path }
    }

    /// Notes the same of several parts of the value.
    pub(super) fn note_parts(&self, slot: Slot<'_>, parts: Parts, notes: &mut Notes, note: &str) {
        if parts.is_empty() {
            return;
        }
        let place = self.place();
        for part in parts.into_names() {
            let whole = part == slot.attribute.name;
            notes.add(if whole { place.clone() } else { format!("{place}.{}", shown(&part)) }, note);
        }
    }

    /// A value that became unassigned clears, also where it was to be added.
    pub(super) fn clear(&mut self) {
        if self.op == Some(PatchOp::Add) {
            self.op = Some(PatchOp::Replace);
        }
        self.value = Some(Value::Null);
    }

    /// Gives the path its names as the schema writes them.
    pub(super) fn canonical(&mut self, rt: &ResourceType) {
        let Target::Attribute { attribute, sub } = self.target(rt) else { return };
        self.path.attr = attribute.name.clone();
        self.path.sub = sub.map(|sub| sub.name.clone());
        let extension = self.path.urn.as_deref().and_then(|urn| rt.extension(urn));
        self.path.urn = extension.map(|extension| extension.id.clone());
    }
}

/// The extension that a path's text names as a whole; as the reader of paths has it, spaces around it mean nothing.
pub(super) fn named_extension<'a>(rt: &'a ResourceType, text: &str) -> Option<&'a Schema> {
    rt.extension(text.trim_matches([' ', '\t', '\r', '\n']))
}

/// Calls `change` for each simple value inside a value, with the attribute that it is for.
pub(super) fn each_simple(
    slot: Slot<'_>,
    value: &mut Value,
    change: &mut impl FnMut(&Attribute, &mut Value),
) {
    match value {
        Value::Array(list) if slot.list => {
            let element = Slot { list: false, ..slot };
            list.iter_mut().for_each(|value| each_simple(element, value, change));
        }
        Value::Object(object) if slot.attribute.kind == AttributeType::Complex => {
            for (name, value) in object {
                if let Some(sub) = slot.attribute.sub(name) {
                    each_simple(Slot { attribute: sub, list: sub.multi_valued }, value, change);
                }
            }
        }
        _ if slot.attribute.kind == AttributeType::Complex => {}
        simple => change(slot.attribute, simple),
    }
}

/// The values of a slot: the elements of a list, or the one value.
pub(super) fn elements_mut<'v>(slot: Slot<'_>, value: &'v mut Value) -> &'v mut [Value] {
    if !slot.list || !value.is_array() {
        return std::slice::from_mut(value);
    }
    value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default()
}

/// Reads the attributes of one value or resource.
pub(super) struct Reader<'r, 'n> {
    pub(super) rt: &'r ResourceType,
    pub(super) dialect: Dialect,
    pub(super) notes: &'n mut Notes,
    pub(super) found: Vec<Given>,
    pub(super) op: Option<PatchOp>,
    pub(super) index: usize,
}

impl<'r, 'n> Reader<'r, 'n> {
    pub(super) fn new(rt: &'r ResourceType, dialect: Dialect, notes: &'n mut Notes) -> Self {
        Self { rt, dialect, notes, found: Vec::new(), op: None, index: 0 }
    }

    /// Shows the whole body to the quirks.
    pub(super) fn body(&mut self, mut message: Message<'_>) {
        for quirk in self.dialect.quirks() {
            let Some(look) = quirk.body else { continue };
            self.notes.quirk = quirk.info.name;
            let message = match &mut message {
                Message::Patch(body) => Message::Patch(body),
                Message::Resource(body) => Message::Resource(body),
            };
            look(self.rt, message, self.notes);
        }
    }

    /// A path's or name's text, as the quirks read it, and which of them changed it.
    pub(super) fn text(&mut self, text: &str) -> (String, Option<&'static str>) {
        for quirk in self.dialect.quirks() {
            if let Some(changed) = quirk.text.and_then(|read| read(self.rt, text)) {
                self.notes.quirk = quirk.info.name;
                self.notes.add(self.at(text), format!("read as {}", shown(&changed)));
                return (changed, Some(quirk.info.name));
            }
        }
        (text.to_owned(), None)
    }

    /// The attributes of an object: of the resource, or of an extension.
    pub(super) fn members(
        &mut self,
        object: Map<String, Value>,
        extension: Option<&Schema>,
    ) -> Result<(), ScimError> {
        for (written, value) in object {
            let (name, moved_by) = self.text(&written);
            if extension.is_none() {
                if name.eq_ignore_ascii_case("schemas") {
                    continue;
                }
                if let Some(extension) = named_extension(self.rt, &name) {
                    self.extension(extension, value, moved_by)?;
                    continue;
                }
            }
            // What is no path at all stays as it is: no attribute has such a name.
            let path = PatchPath::parse(&name).unwrap_or_else(|_| AttrPath::attribute(name.as_str()).into());
            let composed = path.urn.is_some() || path.sub.is_some() || path.filter.is_some();
            let urn = path.urn.or_else(|| extension.map(|extension| extension.id.clone()));
            self.push(PatchPath { urn, ..path }, Some(value), composed, moved_by)?;
        }
        Ok(())
    }

    /// An extension as a whole.
    pub(super) fn extension(
        &mut self,
        extension: &Schema,
        value: Value,
        moved_by: Option<&'static str>,
    ) -> Result<(), ScimError> {
        let value = match value {
            Value::Object(inner) => return self.members(inner, Some(extension)),
            other => other,
        };
        let (urn, attr) = extension.id.rsplit_once(':').unwrap_or(("", &extension.id));
        let path = PatchPath { urn: Some(urn.to_owned()), attr: attr.to_owned(), filter: None, sub: None };
        self.push(path, Some(value), false, moved_by)
    }

    pub(super) fn push(
        &mut self,
        path: PatchPath,
        value: Option<Value>,
        composed: bool,
        moved_by: Option<&'static str>,
    ) -> Result<(), ScimError> {
        if self.found.len() == MAX_GIVEN {
            let detail = format!("more than {MAX_GIVEN} attributes in one request");
            return Err(ScimError::new(413, None, detail));
        }
        let stray = self.op == Some(PatchOp::Remove) && value.as_ref().is_some_and(|value| !value.is_null());
        let mut given = Given {
            op: self.op,
            index: self.index,
            path,
            at_path: false,
            composed,
            moved_by,
            value,
            stray,
            dropped: false,
        };
        self.moved(&mut given);
        let values = given.value.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
        if values > MAX_VALUES && !given.path.attr.eq_ignore_ascii_case("members") {
            let detail =
                format!("{} has {values} values in one request, more than {MAX_VALUES}", given.place());
            return Err(ScimError::new(413, None, detail));
        }
        self.found.push(given);
        Ok(())
    }

    /// Shows every attribute found to the quirks.
    pub(super) fn look(&mut self) {
        for given in &mut self.found {
            for quirk in self.dialect.quirks() {
                if let Some(look) = quirk.given.filter(|_| !given.dropped) {
                    self.notes.quirk = quirk.info.name;
                    look(self.rt, given, self.notes);
                }
            }
            let Target::Attribute { attribute, .. } = given.target(self.rt) else { continue };
            if let Some(filter) = given.path.filter.take() {
                let (scope, place) = (Scope::Element(attribute), given.place());
                given.path.filter =
                    Some(read_filter::comparisons(filter, scope, self.dialect, self.notes, &place));
            }
        }
    }

    fn moved(&mut self, given: &mut Given) {
        for quirk in self.dialect.quirks() {
            let Some(read) = quirk.path else { continue };
            if let Some(moved) = read(self.rt, &given.path.attr_path()) {
                self.notes.quirk = quirk.info.name;
                self.notes.add(given.place(), format!("read as {}", shown(&moved.to_string())));
                given.moved_by = Some(quirk.info.name);
                (given.path.urn, given.path.attr, given.path.sub) = (moved.urn, moved.attr, moved.sub);
            }
        }
    }

    fn at(&self, text: &str) -> String {
        let text = shown(text);
        if self.op.is_some() { format!("Operations[{}]: {text}", self.index) } else { text }
    }
}
