//! One PATCH operation on one attribute: single values, whole lists, selected elements.

use serde_json::{Map, Value};

use crate::error::ScimError;
use crate::filter::Filter;
use crate::patch::PatchOp;
use crate::patch_apply::{Selected, Step};
use crate::patch_elements::{Elements, is_identified_by_value};
use crate::patch_path::element_from;
use crate::path::{key_of, member};
use crate::resource::{Misfit, is_blank, missing_sub, normalise, normalise_single};
use crate::schema::{Attribute, AttributeType, Mutability};

impl Step<'_, '_> {
    /// Carries the operation out on a single-valued attribute of `container`.
    pub(crate) fn on_single(&self, container: &mut Map<String, Value>) -> Result<(), ScimError> {
        let attribute = self.place.attribute;
        let key = key_of(container, &attribute.name);
        if let Some(sub) = self.sub {
            let mut parent = match container.get(&key) {
                Some(Value::Object(parent)) => parent.clone(),
                _ => Map::new(),
            };
            self.write(sub, &mut parent)?;
            self.refuse_if_emptied(parent.is_empty())?;
            return self.store(container, attribute, (!parent.is_empty()).then_some(Value::Object(parent)));
        }
        let (PatchOp::Add | PatchOp::Replace, AttributeType::Complex, Some(value)) =
            (self.op, attribute.kind, self.value)
        else {
            return self.write(attribute, container);
        };
        if value.is_null() {
            return self.write(attribute, container);
        }
        // Sub-attributes that are not named stay as they are (RFC 7644 section 3.5.2.3).
        let given = normalise_single(attribute, value).map_err(|misfit| self.misfit(misfit))?;
        let mut merged = match container.get(&key) {
            Some(Value::Object(held)) => held.clone(),
            _ => Map::new(),
        };
        for (name, value) in given.as_ref().and_then(Value::as_object).into_iter().flatten() {
            if let Some(sub) = attribute.sub(name) {
                self.store(&mut merged, sub, Some(value.clone()))?;
            }
        }
        if self.op == PatchOp::Replace {
            for (name, _) in value.as_object().into_iter().flatten().filter(|(_, value)| value.is_null()) {
                let sub = attribute.sub(name).filter(|sub| sub.mutability != Mutability::ReadOnly);
                if let Some(sub) = sub {
                    self.store(&mut merged, sub, None)?;
                }
            }
        }
        self.refuse_if_emptied(merged.is_empty())?;
        self.store(container, attribute, (!merged.is_empty()).then_some(Value::Object(merged)))
    }

    /// Carries the operation out on a multi-valued attribute.
    pub(crate) fn on_list(&self, elements: &mut Elements<'_>) -> Result<Selected, ScimError> {
        let attribute = self.place.attribute;
        let before_empty = elements.is_empty();
        if attribute.mutability == Mutability::Immutable && !before_empty {
            return Err(self.immutable(&attribute.name));
        }
        let selected = match &self.path.filter {
            None => self.on_whole_list(elements).map(|()| Selected::Lawfully)?,
            Some(filter) => self.on_selected(elements, filter)?,
        };
        if !before_empty {
            self.refuse_if_emptied(elements.is_empty())?;
        }
        Ok(selected)
    }

    fn on_whole_list(&self, elements: &mut Elements<'_>) -> Result<(), ScimError> {
        match (self.op, self.value) {
            (PatchOp::Remove, None) => elements.clear(),
            // An explicit null neither names values nor asks for all of them.
            (PatchOp::Remove, Some(Value::Null)) => {
                return Err(ScimError::invalid_value(format!(
                    "\"remove\" of {} with a null value: name the values, or leave value out to remove all",
                    self.path
                )));
            }
            (PatchOp::Remove, Some(value)) => elements.remove_listed(&self.list(value)?),
            (PatchOp::Add, value) => {
                let list = self.list(value.unwrap_or(&Value::Null))?;
                let written: Vec<usize> = list.into_iter().map(|element| elements.add(element)).collect();
                self.settle_primary(elements, &written)?;
            }
            (PatchOp::Replace, value) => {
                let list = match value {
                    None | Some(Value::Null) => Vec::new(),
                    Some(value @ Value::Array(_)) => self.list(value)?,
                    Some(_) => {
                        return Err(ScimError::invalid_value(format!("{} must be a list", self.path)));
                    }
                };
                elements.clear();
                let written: Vec<usize> = list.into_iter().map(|element| elements.add(element)).collect();
                self.settle_primary(elements, &written)?;
            }
        }
        Ok(())
    }

    fn on_selected(&self, elements: &mut Elements<'_>, filter: &Filter) -> Result<Selected, ScimError> {
        let attribute = self.place.attribute;
        if self.op == PatchOp::Remove && self.sub.is_none() {
            let found = match elements.key_selected_by(filter) {
                Some(key) => elements.remove_key(&key),
                None => {
                    let selected = elements.select(filter);
                    elements.remove_positions(&selected);
                    !selected.is_empty()
                }
            };
            let may_be_absent = is_identified_by_value(attribute);
            return if found || may_be_absent { Ok(Selected::Lawfully) } else { self.nothing() };
        }
        let empty = self.op == PatchOp::Remove || self.value.is_none_or(Value::is_null);
        if self.op == PatchOp::Add && empty {
            return Ok(Selected::Lawfully);
        }
        let mut selected = elements.select(filter);
        let mut outcome = Selected::Lawfully;
        if selected.is_empty() {
            if empty {
                return self.nothing();
            }
            let may_create = self.op == PatchOp::Add || self.tolerant;
            let created = element_from(filter).filter(|_| may_create).ok_or_else(|| self.no_match())?;
            if self.op == PatchOp::Replace {
                outcome = Selected::Created;
            }
            let created = normalise_single(attribute, &created).map_err(|misfit| self.misfit(misfit))?;
            // The selection's terms become values of the element, then the operation goes on as if it had matched.
            selected = created.map(|element| elements.add(element)).into_iter().collect();
        }
        match self.sub {
            Some(sub) => self.write_subs(elements, &selected, sub)?,
            // What was just created keeps the selection's terms.
            None if outcome == Selected::Created => self.merge_whole(elements, &selected)?,
            None => self.write_whole(elements, &mut selected)?,
        }
        for element in selected.iter().filter_map(|&position| elements.get(position)) {
            if let Some(sub) = missing_sub(attribute, element) {
                return Err(ScimError::invalid_value(format!("{}: {} is required", self.path, sub.name)));
            }
        }
        self.settle_primary(elements, &selected)?;
        Ok(outcome)
    }

    /// Nothing matched, and nothing had to be written.
    fn nothing(&self) -> Result<Selected, ScimError> {
        if self.tolerant { Ok(Selected::Nothing) } else { Err(self.no_match()) }
    }

    /// Writes or removes one sub-attribute of each selected element.
    fn write_subs(
        &self,
        elements: &mut Elements<'_>,
        selected: &[usize],
        sub: &Attribute,
    ) -> Result<(), ScimError> {
        for &position in selected {
            let Some(held) = elements.get(position) else { continue };
            let mut changed = match held {
                Value::Object(held) => held.clone(),
                _ => Map::new(),
            };
            self.write(sub, &mut changed)?;
            match member(&changed, &sub.name) {
                Some(value) => {
                    let written = Map::from_iter([(sub.name.clone(), value.clone())]);
                    elements.merge(position, Value::Object(written));
                }
                None => elements.remove_sub(position, &sub.name),
            }
        }
        Ok(())
    }

    /// Merges into (`add`) or puts in the place of (`replace`) the selected elements.
    fn write_whole(&self, elements: &mut Elements<'_>, selected: &mut Vec<usize>) -> Result<(), ScimError> {
        if self.op != PatchOp::Replace {
            return self.merge_whole(elements, selected);
        }
        match self.given_element()? {
            Some(given) => *selected = elements.replace(selected, given).into_iter().collect(),
            None => elements.remove_positions(selected),
        }
        Ok(())
    }

    fn merge_whole(&self, elements: &mut Elements<'_>, selected: &[usize]) -> Result<(), ScimError> {
        let Some(given) = self.given_element()? else { return Ok(()) };
        for &position in selected {
            let held = elements.get(position).and_then(Value::as_object);
            for (name, value) in given.as_object().into_iter().flatten() {
                let sub = self.place.attribute.sub(name);
                let immutable = sub.is_some_and(|sub| sub.mutability == Mutability::Immutable);
                let other = held.and_then(|held| member(held, name)).is_some_and(|held| held != value);
                if immutable && other {
                    return Err(self.immutable(name));
                }
            }
            elements.merge(position, given.clone());
        }
        Ok(())
    }

    fn given_element(&self) -> Result<Option<Value>, ScimError> {
        let value = self.value.unwrap_or(&Value::Null);
        normalise_single(self.place.attribute, value).map_err(|misfit| self.misfit(misfit))
    }

    /// Writes the operation's value as that attribute of an object, or removes it.
    fn write(&self, attribute: &Attribute, object: &mut Map<String, Value>) -> Result<(), ScimError> {
        let given = self.value.filter(|_| self.op != PatchOp::Remove);
        let value = match given {
            None => None,
            Some(value) => normalise(attribute, value).map_err(|misfit| self.misfit(misfit))?,
        };
        if value.is_none() && self.op == PatchOp::Add {
            return Ok(());
        }
        self.store(object, attribute, value)
    }

    /// Stores an attribute's new value in the object that holds it; `None` removes. The one place where required and
    /// immutable are enforced for single values.
    fn store(
        &self,
        object: &mut Map<String, Value>,
        attribute: &Attribute,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let key = key_of(object, &attribute.name);
        let held = object.get(&key).filter(|held| !held.is_null());
        if attribute.required && value.as_ref().is_none_or(is_blank) {
            return Err(ScimError::invalid_value(format!("{} is required", attribute.name)));
        }
        if attribute.mutability == Mutability::Immutable && held.is_some() && held != value.as_ref() {
            return Err(self.immutable(&attribute.name));
        }
        match value {
            Some(value) => object.insert(key, value),
            None => object.remove(&key),
        };
        Ok(())
    }

    /// The values given for a multi-valued attribute; one value may stand without its list.
    fn list(&self, value: &Value) -> Result<Vec<Value>, ScimError> {
        let single;
        let list = match value {
            Value::Null | Value::Array(_) => value,
            one => {
                single = Value::Array(vec![one.clone()]);
                &single
            }
        };
        match normalise(self.place.attribute, list).map_err(|misfit| self.misfit(misfit))? {
            Some(Value::Array(list)) => Ok(list),
            _ => Ok(Vec::new()),
        }
    }

    fn settle_primary(&self, elements: &mut Elements<'_>, written: &[usize]) -> Result<(), ScimError> {
        elements.settle_primary(written).map_err(|()| {
            ScimError::invalid_value(format!("{} can have only one primary value", self.place.attribute.name))
        })
    }

    fn refuse_if_emptied(&self, empty: bool) -> Result<(), ScimError> {
        let attribute = self.place.attribute;
        if empty && attribute.required {
            return Err(ScimError::invalid_value(format!("{} is required", attribute.name)));
        }
        Ok(())
    }

    fn no_match(&self) -> ScimError {
        ScimError::no_target(format!("{}: no value matches the selection", self.path))
    }

    fn immutable(&self, name: &str) -> ScimError {
        ScimError::mutability(format!("{}: {name} is immutable and has a value", self.path))
    }

    fn misfit(&self, misfit: Misfit) -> ScimError {
        // Inside a PATCH an unknown sub-attribute is a wrong value too: the path itself was resolved before.
        ScimError::invalid_value(misfit.at(&self.path.to_string()).to_string())
    }
}
