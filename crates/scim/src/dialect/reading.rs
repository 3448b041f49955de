//! One request on its way through the quirks: bodies, operations, values and filters, each offered to every quirk that holds.

use serde_json::{Map, Value};

use super::{Dialect, QUIRKS, QuirkInfo, Tolerated};
use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::{MAX_OPERATIONS, PatchOperation};
use crate::patch_path::PatchPath;
use crate::path::AttrPath;
use crate::resource_type::ResourceType;
use crate::schema::Attribute;

/// The most deviations that are reported of one request.
const REPORTED_MAX: usize = 100;

/// A quirk: what it is, and where it looks. Hooks that it does not need are [`Quirk::NONE`]'s.
pub(super) struct Quirk {
    pub(super) info: QuirkInfo,
    /// On the body of a POST or PUT.
    pub(super) body: fn(&mut Reading<'_>, &mut Map<String, Value>),
    /// On an operation without a path: the operations that it stands for, if it is taken apart.
    pub(super) expand: fn(&mut Reading<'_>, &PatchOperation) -> Option<Vec<PatchOperation>>,
    /// On an operation with a path; false leaves it out.
    pub(super) operation: fn(&mut Reading<'_>, &mut PatchOperation) -> bool,
    /// On the value of an attribute, wherever it is given.
    pub(super) value: fn(&mut Reading<'_>, &Slot<'_>, &mut Value),
    /// On a term of a filter.
    pub(super) term: fn(&mut Reading<'_>, Option<&AttrPath>, &mut Filter),
}

impl Quirk {
    /// A quirk that looks nowhere.
    pub(super) const NONE: Quirk = Quirk {
        info: QuirkInfo { name: "", about: "", dialects: &[] },
        body: |_, _| {},
        expand: |_, _| None,
        operation: |_, _| true,
        value: |_, _, _| {},
        term: |_, _, _| {},
    };
}

/// Where a value stands.
pub(super) struct Slot<'a> {
    /// What is given.
    pub(super) attribute: &'a Attribute,
    /// Whether a list is expected: not for an element or a sub-attribute of one.
    pub(super) list: bool,
    /// Its place in the request.
    pub(super) place: String,
}

/// A request while it is read.
pub(super) struct Reading<'a> {
    pub(super) rt: &'a ResourceType,
    dialect: Dialect,
    pub(super) tolerated: Vec<Tolerated>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(rt: &'a ResourceType, dialect: Dialect) -> Self {
        Self { rt, dialect, tolerated: vec![] }
    }

    /// Reports that a quirk was met.
    pub(super) fn report(&mut self, quirk: &Quirk, place: impl Into<String>, note: impl Into<String>) {
        if self.tolerated.len() < REPORTED_MAX {
            let (place, note) = (place.into(), note.into());
            self.tolerated.push(Tolerated { quirk: quirk.info.name, place, note });
        }
    }

    fn active(&self) -> impl Iterator<Item = &'static Quirk> + use<> {
        let dialect = self.dialect;
        QUIRKS.iter().copied().filter(move |quirk| match dialect {
            Dialect::Auto => true,
            Dialect::Strict => false,
            other => quirk.info.dialects.contains(&other),
        })
    }

    /// The body of a POST or PUT.
    pub(super) fn resource(&mut self, fields: &mut Map<String, Value>) {
        for quirk in self.active() {
            (quirk.body)(self, fields);
        }
        let rt = self.rt;
        for (name, value) in fields.iter_mut() {
            if let Some(extension) = rt.extension(name) {
                for (inner, value) in value.as_object_mut().into_iter().flatten() {
                    if let Some(attribute) = extension.attribute(inner) {
                        self.value(
                            attribute,
                            format!("{}:{inner}", extension.id),
                            attribute.multi_valued,
                            value,
                        );
                    }
                }
            } else if let Some(attribute) = rt.top_level(name) {
                self.value(attribute, name.clone(), attribute.multi_valued, value);
            }
        }
    }

    /// The operations of a PATCH.
    pub(super) fn patch(
        &mut self,
        operations: Vec<PatchOperation>,
    ) -> Result<Vec<PatchOperation>, ScimError> {
        let mut out = Vec::with_capacity(operations.len());
        for operation in operations {
            let expanded = match operation.path {
                None => self.active().find_map(|quirk| (quirk.expand)(self, &operation)),
                Some(_) => None,
            };
            for mut operation in expanded.unwrap_or_else(|| vec![operation]) {
                if self.operation(&mut operation) {
                    out.push(operation);
                }
            }
        }
        if out.len() > MAX_OPERATIONS * 10 {
            let detail = format!("the operations stand for more than {} changes", MAX_OPERATIONS * 10);
            return Err(ScimError::new(413, None, detail));
        }
        Ok(out)
    }

    fn operation(&mut self, operation: &mut PatchOperation) -> bool {
        for quirk in self.active() {
            if operation.path.is_some() && !(quirk.operation)(self, operation) {
                return false;
            }
        }
        let Some(path) = operation.path.clone() else { return true };
        let Some((attribute, leaf)) = resolve(self.rt, &path) else { return true };
        let list = path.sub.is_none() && path.filter.is_none() && attribute.multi_valued;
        if let Some(value) = &mut operation.value {
            self.value(leaf, path.to_string(), list, value);
        }
        true
    }

    /// A value and everything inside it, from the outside in.
    fn value(&mut self, attribute: &Attribute, place: String, list: bool, value: &mut Value) {
        let slot = Slot { attribute, list, place };
        for quirk in self.active() {
            (quirk.value)(self, &slot, value);
        }
        match value {
            Value::Array(elements) if list => {
                for (at, element) in elements.iter_mut().enumerate() {
                    self.parts(attribute, &format!("{}[{at}]", slot.place), element);
                }
            }
            other => self.parts(attribute, &slot.place, other),
        }
    }

    fn parts(&mut self, attribute: &Attribute, place: &str, value: &mut Value) {
        let Some(fields) = value.as_object_mut() else { return };
        for (name, value) in fields.iter_mut() {
            if let Some(sub) = attribute.sub(name) {
                self.value(sub, format!("{place}.{name}"), sub.multi_valued, value);
            }
        }
    }

    /// The terms of a filter.
    pub(super) fn filter(&mut self, filter: &mut Filter) {
        self.terms(None, filter);
    }

    fn terms(&mut self, parent: Option<&AttrPath>, filter: &mut Filter) {
        match filter {
            Filter::And(terms) | Filter::Or(terms) => {
                terms.iter_mut().for_each(|term| self.terms(parent, term));
            }
            Filter::Not(inner) => self.terms(parent, inner),
            Filter::ValuePath { path, filter } => {
                let path = path.clone();
                self.terms(Some(&path), filter);
            }
            Filter::Compare { .. } | Filter::Present(_) => {
                for quirk in self.active() {
                    (quirk.term)(self, parent, filter);
                }
            }
        }
    }

    /// The terms that select elements in a path of an operation.
    pub(super) fn selection(&mut self, path: &mut PatchPath) {
        let parent = AttrPath { urn: path.urn.clone(), attr: path.attr.clone(), sub: None };
        if let Some(filter) = &mut path.filter {
            self.terms(Some(&parent), filter);
        }
    }
}

/// The attribute that a path names, and the sub-attribute if it names one.
pub(super) fn resolve<'a>(rt: &'a ResourceType, path: &PatchPath) -> Option<(&'a Attribute, &'a Attribute)> {
    let (parent, leaf) = rt.resolve_with_parent(&path.attr_path())?;
    Some((parent.unwrap_or(leaf), leaf))
}
