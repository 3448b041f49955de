//! What was tolerated while one request was read.

use std::collections::BTreeSet;

use super::Tolerated;
pub(super) use crate::path::shown;

/// The most deviations that are listed one by one.
const MAX_LISTED: usize = 100;

/// The deviations so far; each place once per quirk.
#[derive(Default)]
pub(super) struct Notes {
    /// Which quirk is at work.
    pub(super) quirk: &'static str,
    list: Vec<Tolerated>,
    seen: BTreeSet<(&'static str, String)>,
    unlisted: usize,
}

impl Notes {
    pub(super) fn add(&mut self, place: impl Into<String>, note: impl Into<String>) {
        let place = place.into();
        if self.seen.len() == MAX_LISTED {
            self.unlisted += 1;
        } else if self.seen.insert((self.quirk, place.clone())) {
            self.list.push(Tolerated { quirk: self.quirk, place, note: note.into() });
        }
    }

    pub(super) fn into_list(mut self) -> Vec<Tolerated> {
        if self.unlisted > 0 {
            let note = format!("{} more deviations are not listed", self.unlisted);
            self.list.push(Tolerated { quirk: self.quirk, place: String::new(), note });
        }
        self.list
    }
}

/// Names of parts, each once, and no more of them than will be listed.
#[derive(Default)]
pub(super) struct Parts(BTreeSet<String>);

impl Parts {
    pub(super) fn add(&mut self, name: &str) {
        if self.0.len() <= MAX_LISTED && !self.0.contains(name) {
            self.0.insert(name.to_owned());
        }
    }

    pub(super) fn into_names(self) -> impl Iterator<Item = String> {
        self.0.into_iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
