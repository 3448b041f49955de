//! What resources looked like a moment ago, kept only while a read-after-write lag is on.

use crate::state::{Group, Id, User};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A resource as it was before a write; `None` when it did not exist.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    User(Option<Arc<User>>),
    Group(Option<Arc<Group>>),
}

/// Earlier versions by id, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// How far back reads may look; milliseconds, 0 keeps nothing.
    keep_ms: i64,
    versions: BTreeMap<Id, VecDeque<(i64, Before)>>,
    /// When which version was written, so that forgetting costs what is forgotten.
    order: VecDeque<(i64, Id)>,
}

impl History {
    pub(crate) fn keep(&mut self, keep_ms: i64) {
        self.keep_ms = keep_ms;
        if keep_ms == 0 {
            self.versions.clear();
            self.order.clear();
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.keep_ms > 0
    }

    pub(crate) fn record(&mut self, id: &Id, before: Before, now_ms: i64) {
        if !self.is_on() {
            return;
        }
        self.forget_until(now_ms.saturating_sub(self.keep_ms));
        self.versions.entry(id.clone()).or_default().push_back((now_ms, before));
        self.order.push_back((now_ms, id.clone()));
    }

    /// The version a reader of the moment `as_of_ms` sees, if a later write changed it.
    pub(crate) fn at(&self, id: &str, as_of_ms: i64) -> Option<&Before> {
        let versions = self.versions.get(id)?;
        versions.iter().find(|(written_ms, _)| *written_ms > as_of_ms).map(|(_, before)| before)
    }

    /// Ids that were written lately and may therefore look different to a late reader.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Id> {
        self.versions.keys()
    }

    fn forget_until(&mut self, until_ms: i64) {
        while let Some((written_ms, id)) = self.order.front() {
            if *written_ms > until_ms {
                break;
            }
            if let Some(versions) = self.versions.get_mut(id) {
                versions.pop_front();
                if versions.is_empty() {
                    self.versions.remove(id);
                }
            }
            self.order.pop_front();
        }
    }
}
