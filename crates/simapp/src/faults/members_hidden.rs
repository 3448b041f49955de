//! `members-hidden`: groups never show their members.

use super::{Effect, Entry, no_arguments};
use crate::call::Kind;
use crate::turn::Turn;
use crate::wire::Response;

pub(super) const MEMBERS_HIDDEN: Entry = Entry {
    name: "members-hidden",
    form: "members-hidden",
    about: "answers about groups never hold members",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(MembersHidden))
    },
};

struct MembersHidden;

impl Effect for MembersHidden {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        if turn.call.kind() == Some(Kind::Groups) {
            turn.call.query.retain(|(name, _)| !name.eq_ignore_ascii_case("excludedAttributes"));
            turn.call.query.push(("excludedAttributes".to_owned(), "members".to_owned()));
            turn.fire();
        }
        None
    }
}
