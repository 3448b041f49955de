//! `commit-then-5xx`: the change is made, the answer says that the server failed.

use super::chance::Chance;
use super::{Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::{Reply, Response};

pub(super) const COMMIT_THEN_5XX: Entry = Entry {
    name: "commit-then-5xx",
    form: "commit-then-5xx[=STATUS[@PROBABILITY or @#N]]",
    about: "a write is made, but the answer is 503 or the status given",
    build: |text| {
        let (status, chance) = text.split_once('@').unwrap_or((text, ""));
        Ok(Box::new(CommitThen5xx { status: server_error(status)?, chance: Chance::parse(chance)? }))
    },
};

/// A status from 500 to 599; 503 when nothing is written.
pub(super) fn server_error(text: &str) -> Result<u16, String> {
    let status = if text.is_empty() { 503 } else { number(text)? };
    if (500..600).contains(&status) { Ok(status) } else { Err("the status must be 500 to 599".to_owned()) }
}

struct CommitThen5xx {
    status: u16,
    chance: Chance,
}

impl Effect for CommitThen5xx {
    fn after(&mut self, turn: &mut Turn<'_>, reply: &mut Reply) -> bool {
        if !turn.committed || reply.response().is_none() || !self.chance.strikes(turn.random) {
            return false;
        }
        let response = Response::error(self.status, "the request could not be completed");
        *reply = Reply::Answer { response, delay_ms: reply.delay_ms() };
        true
    }
}
