//! What was tolerated while one request was read.

use std::collections::BTreeSet;

use super::Tolerated;

/// The most deviations that are listed one by one.
const MAX_LISTED: usize = 100;

/// The longest name, in characters, that a note shows whole: one URN and an attribute fit well.
const MAX_SHOWN: usize = 160;

/// A name or path as a note shows it.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

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
