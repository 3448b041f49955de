//! `token-expires-after`: the token works for a number of requests and then never again.

use super::{Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::{Reply, Response};

pub(super) const TOKEN_EXPIRES: Entry = Entry {
    name: "token-expires-after",
    form: "token-expires-after=N",
    about: "after N requests everything answers 401 without a body, until the app gets a new token",
    build: |text| Ok(Box::new(TokenExpires { lasts: number(text)?, used: 0, token: None })),
};

struct TokenExpires {
    lasts: u64,
    used: u64,
    /// The app's token that the count belongs to.
    token: Option<String>,
}

impl Effect for TokenExpires {
    fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        if self.token != turn.config.token {
            self.token.clone_from(&turn.config.token);
            self.used = 0;
        }
        self.used += 1;
        (self.used > self.lasts).then(|| Reply::at_once(Response::empty(401)))
    }
}
