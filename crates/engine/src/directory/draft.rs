//! The users or groups of a batch as they will be after it, checked and then written in an order that keeps keys unique.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use store::Tx;

use super::extension_data::{drop_left, drop_own, drop_stale, note_use};
use super::record::Record;
use super::resource::Resource;
use crate::schemas::ResourceTypes;
use crate::{Context, EngineError, seats};

/// Everything of one kind that a batch touches, by id.
pub(super) struct Draft<R> {
    slots: BTreeMap<String, Slot<R>>,
    types: Arc<ResourceTypes>,
}

struct Slot<R> {
    /// As stored before the batch, also if deleted.
    before: Option<R>,
    now: R,
}

impl<R: Resource> Draft<R> {
    /// Starts from what is stored; documents may be what the types say.
    pub(super) fn new(stored: Vec<R>, types: Arc<ResourceTypes>) -> Self {
        let slot = |found: R| (found.id().to_owned(), Slot { before: Some(found.clone()), now: found });
        Self { slots: stored.into_iter().map(slot).collect(), types }
    }

    /// The object of that id, unless it is unknown or deleted at this point of the batch.
    pub(super) fn live(&self, id: &str) -> Result<&R, EngineError> {
        let found = self.slots.get(id).map(|slot| &slot.now).filter(|now| now.live());
        found.ok_or_else(|| R::not_found(id))
    }

    pub(super) fn create(
        &mut self,
        id: &str,
        source: &str,
        doc: &Value,
    ) -> Result<Option<Record>, EngineError> {
        if self.slots.contains_key(id) {
            return Err(EngineError::Conflict(format!("the id {id} is already used by a {}", R::KIND)));
        }
        let of = self.types.of(R::OF);
        let doc = R::document(of, doc).map_err(|problem| invalid::<R>(doc, &problem))?;
        let now = R::from_document(id, source, doc);
        let record = record(R::CREATE, None, &now, Some(now.doc()));
        self.slots.insert(id.to_owned(), Slot { before: None, now });
        Ok(Some(record))
    }

    pub(super) fn update(&mut self, id: &str, doc: &Value) -> Result<Option<Record>, EngineError> {
        let types = self.types.clone();
        let of = types.of(R::OF);
        let slot = self.slot(id, R::live)?;
        let (mut next, mut doc) = (slot.now.clone(), doc.clone());
        drop_stale(of, slot.now.doc(), &mut doc);
        if let Some(stored) = slot.before.as_ref().filter(|before| !before.live()) {
            drop_left(stored.doc(), slot.now.doc(), &mut doc);
        }
        next.set_document(doc);
        let doc = R::document(of, next.doc()).map_err(|problem| invalid::<R>(next.doc(), &problem))?;
        if doc == *slot.now.doc() {
            return Ok(None);
        }
        next.set_document(doc);
        let action = R::update_action(&slot.now, &next);
        let record = record(action, Some(slot.now.doc()), &next, Some(next.doc()));
        slot.now = next;
        Ok(Some(record))
    }

    pub(super) fn delete(&mut self, id: &str, now_ms: i64) -> Result<Option<Record>, EngineError> {
        let slot = self.slot(id, R::live)?;
        slot.now.set_deleted_ms(Some(now_ms));
        Ok(Some(record(R::DELETE, Some(slot.now.doc()), &slot.now, None)))
    }

    pub(super) fn restore(&mut self, id: &str) -> Result<Option<Record>, EngineError> {
        let types = self.types.clone();
        let of = types.of(R::OF);
        let slot = self.slot(id, |_| true)?;
        if slot.now.live() {
            return Ok(None);
        }
        slot.now.set_deleted_ms(None);
        let mut doc = slot.now.doc().clone();
        drop_stale(of, slot.now.doc(), &mut doc);
        if R::document(of, &doc).is_err() {
            // A schema of the same URN came in the place of the one that this was stored under.
            drop_own(&types, R::OF, &mut doc);
        }
        slot.now.set_document(doc);
        Ok(Some(record(R::RESTORE, None, &slot.now, Some(slot.now.doc()))))
    }

    /// Checks the keys as they stand after the batch and writes the rows.
    pub(super) fn write(&self, tx: &mut Tx<'_>, ctx: &mut Context) -> Result<(), EngineError> {
        self.check_key(tx, ctx, R::NAME, |found| Some(scim::fold(found.name())), |found| Some(found.name()))?;
        let exact = |found: &R| found.external_id().map(str::to_owned);
        self.check_key(tx, ctx, "externalId", exact, R::external_id)?;
        let changed: Vec<&Slot<R>> =
            self.slots.values().filter(|slot| slot.before.as_ref() != Some(&slot.now)).collect();
        let taken = changed.iter().map(|slot| slot.now.seats() - slot.before.as_ref().map_or(0, R::seats));
        seats::take(tx, ctx, taken.sum())?;
        let stored = || changed.iter().filter_map(|slot| Some((slot.before.as_ref()?, &slot.now)));
        for (before, _) in stored().filter(|(before, now)| before.live() && !now.live()) {
            before.delete_row(tx, &ctx.tenant, ctx.now_ms)?;
        }
        // Keys are released before they are taken, so that two may swap them.
        let moving: Vec<&R> = stored()
            .filter(|(before, now)| before.live() && now.live() && keys(*before) != keys(*now))
            .map(|(_, now)| now)
            .collect();
        if moving.len() > 1 {
            for now in moving {
                now.release_keys(tx, &ctx.tenant)?;
            }
        }
        for (before, now) in stored().filter(|(before, now)| before.doc() != now.doc()) {
            now.update_row(tx, &ctx.tenant, before, ctx.now_ms)?;
        }
        for (_, now) in stored().filter(|(before, now)| !before.live() && now.live()) {
            now.restore_row(tx, &ctx.tenant, ctx.now_ms)?;
        }
        for slot in changed.iter().filter(|slot| slot.before.is_none()) {
            slot.now.insert_row(tx, &ctx.tenant, ctx.now_ms)?;
        }
        let own = (R::OF, self.types.own(R::OF));
        for Slot { before, now } in changed {
            let before = before.as_ref().filter(|before| before.live()).map(R::doc);
            let after = Some(now).filter(|now| now.live()).map(R::doc);
            note_use(tx, ctx, own, now.id(), (before, after))?;
        }
        Ok(())
    }

    fn slot(&mut self, id: &str, usable: impl Fn(&R) -> bool) -> Result<&mut Slot<R>, EngineError> {
        self.slots.get_mut(id).filter(|slot| usable(&slot.now)).ok_or_else(|| R::not_found(id))
    }

    /// Nobody holds a key twice: within the batch, and against what is stored and not touched by it.
    fn check_key(
        &self,
        tx: &mut Tx<'_>,
        ctx: &Context,
        attribute: &'static str,
        key: impl Fn(&R) -> Option<String>,
        shown: impl Fn(&R) -> Option<&str>,
    ) -> Result<(), EngineError> {
        let mut holders: BTreeMap<String, &R> = BTreeMap::new();
        let mut taken: Vec<String> = Vec::new();
        for slot in self.slots.values().filter(|slot| slot.now.live()) {
            let Some(wanted) = key(&slot.now) else { continue };
            let held_before = slot.before.as_ref().filter(|before| before.live()).and_then(&key);
            if held_before.as_ref() != Some(&wanted) {
                taken.push(wanted.clone());
            }
            if let Some(other) = holders.insert(wanted, &slot.now) {
                return Err(conflict(attribute, shown(&slot.now), other));
            }
        }
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        let stored = match attribute {
            "externalId" => R::by_external_ids(tx, &ctx.tenant, &taken)?,
            _ => R::by_names(tx, &ctx.tenant, &taken)?,
        };
        match stored.iter().find(|holder| !self.slots.contains_key(holder.id())) {
            Some(holder) => Err(conflict(attribute, shown(holder), holder)),
            None => Ok(()),
        }
    }
}

fn keys<R: Resource>(found: &R) -> (String, Option<&str>) {
    (scim::fold(found.name()), found.external_id())
}

fn record<R: Resource>(
    action: &'static str,
    before: Option<&Value>,
    of: &R,
    after: Option<&Value>,
) -> Record {
    Record {
        action,
        object_kind: R::KIND,
        object: of.id().to_owned(),
        before: before.cloned(),
        after: after.cloned(),
        mark: R::MARK,
        member: String::new(),
    }
}

fn invalid<R: Resource>(doc: &Value, problem: &str) -> EngineError {
    let name = doc
        .get(R::NAME)
        .or_else(|| doc.get("externalId"))
        .and_then(Value::as_str)
        .unwrap_or("without a name");
    EngineError::Invalid(format!("{} '{name}': {problem}; nothing was changed", R::KIND))
}

fn conflict<R: Resource>(attribute: &str, value: Option<&str>, holder: &R) -> EngineError {
    let value = value.unwrap_or_default();
    EngineError::Conflict(format!(
        "{attribute} '{value}' is already used by {} '{}' ({}); choose another value, or change that {} first",
        R::KIND,
        holder.name(),
        holder.id(),
        R::KIND
    ))
}
