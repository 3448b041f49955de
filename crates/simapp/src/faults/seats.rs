//! `seats`: a licence with a number of seats; active users take one each.

use super::{Change, Effect, Entry, number};
use crate::state::is_active;
use crate::turn::Turn;
use crate::wire::Response;

pub(super) const SEATS: Entry = Entry {
    name: "seats",
    form: "seats=N",
    about: "creating or reactivating more than N active users answers 403",
    build: |text| Ok(Box::new(Seats { seats: number(text)? })),
};

struct Seats {
    seats: usize,
}

impl Effect for Seats {
    fn check(&mut self, turn: &mut Turn<'_>, change: &Change<'_>) -> Option<Response> {
        let takes_one = match change {
            Change::CreateUser { after } => is_active(after),
            Change::UpdateUser { before, after, .. } => is_active(after) && !is_active(before),
            _ => false,
        };
        let full = takes_one && turn.state.active_users() >= self.seats;
        full.then(|| Response::error(403, &format!("the licence limit of {} seats is reached", self.seats)))
    }
}
