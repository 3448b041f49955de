//! `read-5xx`: reads fail while writes work.

use super::chance::Chance;
use super::commit_then_5xx::server_error;
use super::{Effect, Entry};
use crate::turn::Turn;
use crate::wire::{Reply, Response};

pub(super) const READ_5XX: Entry = Entry {
    name: "read-5xx",
    form: "read-5xx[=STATUS[@PROBABILITY or @#N]]",
    about: "reads answer 503 or the status given, writes work",
    build: |text| {
        let (status, chance) = text.split_once('@').unwrap_or((text, ""));
        Ok(Box::new(Read5xx { status: server_error(status)?, chance: Chance::parse(chance)? }))
    },
};

struct Read5xx {
    status: u16,
    chance: Chance,
}

impl Effect for Read5xx {
    fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        let strikes = !turn.call.is_write() && self.chance.strikes(turn.random);
        strikes.then(|| Reply::at_once(Response::error(self.status, "the directory cannot be read now")))
    }
}
