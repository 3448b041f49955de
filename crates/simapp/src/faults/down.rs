//! `down`: the app is away, only the proxy in front of it answers.

use super::{Effect, Entry, no_arguments};
use crate::turn::Turn;
use crate::wire::{Reply, Response};

pub(super) const DOWN: Entry = Entry {
    name: "down",
    form: "down",
    about: "every request is answered with an HTML page and 503",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(Down))
    },
};

struct Down;

impl Effect for Down {
    fn before(&mut self, _turn: &mut Turn<'_>) -> Option<Reply> {
        Some(Reply::at_once(Response::html(503, "503 Service Temporarily Unavailable")))
    }
}
