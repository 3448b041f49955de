//! `lost-answer-before`, `lost-answer-after`: the connection closes without an answer, around the commit.

use super::chance::Chance;
use super::{Effect, Entry};
use crate::turn::Turn;
use crate::wire::Reply;

pub(super) const BEFORE: Entry = Entry {
    name: "lost-answer-before",
    form: "lost-answer-before[=PROBABILITY or =#N]",
    about: "a write is lost: the connection closes without an answer and nothing was changed",
    build: |text| Ok(Box::new(Before(Chance::parse(text)?))),
};

pub(super) const AFTER: Entry = Entry {
    name: "lost-answer-after",
    form: "lost-answer-after[=PROBABILITY or =#N]",
    about: "a write is made, but the connection closes without an answer (#3: only at the third write)",
    build: |text| Ok(Box::new(After(Chance::parse(text)?))),
};

struct Before(Chance);

impl Effect for Before {
    fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        let strikes = turn.call.is_write() && self.0.strikes(turn.random);
        strikes.then_some(Reply::Reset { delay_ms: 0 })
    }
}

struct After(Chance);

impl Effect for After {
    fn after(&mut self, turn: &mut Turn<'_>, reply: &mut Reply) -> bool {
        if !turn.committed || reply.response().is_none() || !self.0.strikes(turn.random) {
            return false;
        }
        *reply = Reply::Reset { delay_ms: reply.delay_ms() };
        true
    }
}
