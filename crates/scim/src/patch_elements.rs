//! The values of a multi-valued attribute while a PATCH changes them, indexed so that long lists stay cheap.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::filter::{CompareOp, Filter, Literal};
use crate::filter_eval::matches_element;
use crate::path::{key_of, member};
use crate::resource::{fold, is_primary};
use crate::schema::{Attribute, AttributeType, Mutability};

/// An ordered set of values. Adding or removing k values of n costs O(n + k), also over many operations.
pub(crate) struct Elements<'a> {
    attribute: &'a Attribute,
    /// A removed value leaves a hole, so that positions stay valid.
    slots: Vec<Option<Value>>,
    /// Key of a value to its position; absent after changes that may have changed keys.
    index: Option<Index>,
    changed: bool,
    work: usize,
}

#[derive(Default)]
struct Index {
    positions: HashMap<String, usize>,
    /// Whether a stored list held a key twice: then removal must look at every value.
    duplicates: bool,
}

impl<'a> Elements<'a> {
    /// Takes over what a resource holds; a single value counts as a list of one.
    pub(crate) fn new(attribute: &'a Attribute, held: Option<Value>) -> Self {
        let slots = match held {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.into_iter().map(Some).collect(),
            Some(single) => vec![Some(single)],
        };
        Self { attribute, slots, index: None, changed: false, work: 0 }
    }

    /// Whether anything changed, and the list.
    pub(crate) fn finish(self) -> (bool, Vec<Value>) {
        (self.changed, self.slots.into_iter().flatten().collect())
    }

    /// How many values were looked at in whole passes, times the terms tested; the caller holds the budget.
    pub(crate) fn work(&self) -> usize {
        self.work
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Adds a value, or merges it into the one that is the same; its position. Values identified by an immutable
    /// `value`, as members are, stay as they are if present.
    pub(crate) fn add(&mut self, element: Value) -> usize {
        let key = key_of_element(self.attribute, &element);
        if let Some(&position) = self.index().positions.get(&key) {
            if !is_identified_by_value(self.attribute) {
                self.merge(position, element);
            }
            return position;
        }
        let position = self.slots.len();
        self.index().positions.insert(key, position);
        self.slots.push(Some(element));
        self.changed = true;
        position
    }

    /// Writes sub-attributes of one value.
    pub(crate) fn merge(&mut self, position: usize, element: Value) {
        let Some(Some(held)) = self.slots.get_mut(position) else { return };
        let before = key_of_element(self.attribute, held);
        match (&mut *held, element) {
            (Value::Object(held), Value::Object(given)) => {
                for (name, value) in given {
                    let key = key_of(held, &name);
                    if held.get(&key) != Some(&value) {
                        held.insert(key, value);
                        self.changed = true;
                    }
                }
            }
            (held, element) => {
                self.changed |= *held != element;
                *held = element;
            }
        }
        if key_of_element(self.attribute, held) != before {
            self.index = None;
        }
    }

    /// Puts one value in the place of those selected, and of any other that is the same; its position.
    pub(crate) fn replace(&mut self, positions: &[usize], element: Value) -> Option<usize> {
        let (&first, others) = positions.split_first()?;
        if others.is_empty() && self.get(first) == Some(&element) {
            return Some(first);
        }
        let key = key_of_element(self.attribute, &element);
        self.remove_positions(positions);
        self.remove_key(&key);
        self.index().positions.insert(key, first);
        self.slots[first] = Some(element);
        self.changed = true;
        Some(first)
    }

    pub(crate) fn get(&self, position: usize) -> Option<&Value> {
        self.slots.get(position).and_then(Option::as_ref)
    }

    /// Removes a sub-attribute of one value, and the value if nothing is left of it.
    pub(crate) fn remove_sub(&mut self, position: usize, sub: &str) {
        let Some(slot) = self.slots.get_mut(position) else { return };
        let Some(Value::Object(held)) = slot else { return };
        let key = key_of(held, sub);
        if held.remove(&key).is_none() {
            return;
        }
        if held.is_empty() {
            *slot = None;
        }
        self.changed = true;
        self.index = None;
    }

    pub(crate) fn remove_positions(&mut self, positions: &[usize]) {
        for &position in positions {
            let Some(removed) = self.slots.get_mut(position).and_then(Option::take) else { continue };
            self.changed = true;
            match &mut self.index {
                Some(index) if !index.duplicates => {
                    index.positions.remove(&key_of_element(self.attribute, &removed));
                }
                _ => self.index = None,
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.changed |= !self.is_empty();
        self.slots.clear();
        self.index = None;
    }

    /// Removes every value with that key; whether there was one.
    pub(crate) fn remove_key(&mut self, key: &str) -> bool {
        let Some(position) = self.index().positions.remove(key) else { return false };
        self.changed |= self.slots[position].take().is_some();
        if self.index().duplicates {
            for slot in &mut self.slots {
                if slot.as_ref().is_some_and(|element| key_of_element(self.attribute, element) == key) {
                    *slot = None;
                }
            }
            self.work += self.slots.len();
        }
        true
    }

    /// Removes exactly the values listed. One given without `type` means each with its `value`.
    pub(crate) fn remove_listed(&mut self, listed: &[Value]) {
        if is_identified_by_value(self.attribute) {
            for element in listed {
                let key = key_of_element(self.attribute, element);
                self.remove_key(&key);
            }
            return;
        }
        let (exact, by_value): (Vec<_>, Vec<_>) = listed
            .iter()
            .partition(|element| sub_text(self.attribute, element, "value").is_none() || has_type(element));
        let exact: HashSet<String> =
            exact.into_iter().map(|element| key_of_element(self.attribute, element)).collect();
        let by_value: HashSet<String> =
            by_value.into_iter().filter_map(|element| sub_text(self.attribute, element, "value")).collect();
        self.work += self.slots.len();
        for slot in &mut self.slots {
            let listed = slot.as_ref().is_some_and(|held| {
                exact.contains(&key_of_element(self.attribute, held))
                    || sub_text(self.attribute, held, "value").is_some_and(|value| by_value.contains(&value))
            });
            if listed {
                *slot = None;
                self.changed = true;
            }
        }
        self.index = None;
    }

    /// Positions of the values that a filter selects. `value eq "…"` on members uses the index.
    pub(crate) fn select(&mut self, filter: &Filter) -> Vec<usize> {
        if let Some(key) = self.key_selected_by(filter) {
            return self.index().positions.get(&key).copied().into_iter().collect();
        }
        self.work += self.slots.len() * terms(filter);
        let matches = |slot: &Option<Value>| {
            slot.as_ref().is_some_and(|element| matches_element(filter, self.attribute, element))
        };
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| matches(slot))
            .map(|(position, _)| position)
            .collect()
    }

    /// The key that a filter names, if it is `value eq "…"` on values identified by `value`.
    pub(crate) fn key_selected_by(&self, filter: &Filter) -> Option<String> {
        let Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(text) } = filter else {
            return None;
        };
        let by_value = is_identified_by_value(self.attribute)
            && path.urn.is_none()
            && path.sub.is_none()
            && path.attr.eq_ignore_ascii_case("value");
        by_value.then(|| key_of_element(self.attribute, &serde_json::json!({ "value": text })))
    }

    /// Makes one of the values just written the only primary one; `Err` if more than one claims it.
    pub(crate) fn settle_primary(&mut self, written: &[usize]) -> Result<(), ()> {
        if self.attribute.sub("primary").is_none() {
            return Ok(());
        }
        let claims = |position: &&usize| self.get(**position).is_some_and(is_primary);
        let claimants: HashSet<usize> = written.iter().filter(claims).copied().collect();
        if claimants.len() > 1 {
            return Err(());
        }
        if claimants.is_empty() {
            return Ok(());
        }
        for (position, slot) in self.slots.iter_mut().enumerate() {
            let Some(Value::Object(element)) = slot else { continue };
            let key = key_of(element, "primary");
            if !claimants.contains(&position) && element.get(&key) == Some(&Value::Bool(true)) {
                element.insert(key, Value::Bool(false));
                self.changed = true;
            }
        }
        Ok(())
    }

    fn index(&mut self) -> &mut Index {
        if self.index.is_none() {
            let index = self.build_index();
            self.index = Some(index);
        }
        self.index.get_or_insert_default()
    }

    fn build_index(&mut self) -> Index {
        self.work += self.slots.len();
        let mut index = Index { positions: HashMap::with_capacity(self.slots.len()), duplicates: false };
        for (position, slot) in self.slots.iter_mut().enumerate() {
            let Some(element) = slot else { continue };
            match index.positions.entry(key_of_element(self.attribute, element)) {
                Entry::Vacant(entry) => {
                    entry.insert(position);
                }
                // Members are a set: a stored repetition goes as soon as members are patched.
                Entry::Occupied(_) if is_identified_by_value(self.attribute) => {
                    *slot = None;
                    self.changed = true;
                }
                Entry::Occupied(_) => index.duplicates = true,
            }
        }
        index
    }
}

fn terms(filter: &Filter) -> usize {
    match filter {
        Filter::And(list) | Filter::Or(list) => list.iter().map(terms).sum(),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => terms(inner),
        Filter::Compare { .. } | Filter::Present(_) => 1,
    }
}

/// Whether `value` alone says which element it is: members and the like, whose `value` never changes.
pub(crate) fn is_identified_by_value(attribute: &Attribute) -> bool {
    attribute.multi_valued
        && attribute.sub("value").is_some_and(|sub| sub.mutability == Mutability::Immutable)
}

/// What makes two values the same: `value` of members; `value` and `type` of e-mails and the like (RFC 7643 section
/// 2.4 wants that pair once); everything but `primary` where there is no `value`.
fn key_of_element(attribute: &Attribute, element: &Value) -> String {
    if attribute.kind != AttributeType::Complex {
        return text_of(attribute, element);
    }
    match sub_text(attribute, element, "value") {
        Some(value) if is_identified_by_value(attribute) => value,
        Some(value) => {
            let kind = sub_text(attribute, element, "type").unwrap_or_default();
            // NUL is refused in values, so it separates without ambiguity.
            format!("{value}\0{kind}")
        }
        None => {
            let mut rest = element.clone();
            if let Value::Object(object) = &mut rest {
                let key = key_of(object, "primary");
                object.remove(&key);
            }
            format!("\0{rest}")
        }
    }
}

fn sub_text(attribute: &Attribute, element: &Value, sub: &str) -> Option<String> {
    let value = member(element.as_object()?, sub).filter(|value| !value.is_null())?;
    Some(attribute.sub(sub).map_or_else(|| value.to_string(), |sub| text_of(sub, value)))
}

fn text_of(attribute: &Attribute, value: &Value) -> String {
    match value {
        Value::String(text) if attribute.case_exact => text.clone(),
        Value::String(text) => fold(text),
        other => other.to_string(),
    }
}

fn has_type(element: &Value) -> bool {
    element.as_object().and_then(|object| member(object, "type")).is_some_and(|kind| !kind.is_null())
}
