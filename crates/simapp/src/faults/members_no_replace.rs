//! `members-no-replace`: members can be added and removed, never set as a whole.

use super::{Effect, Entry, no_arguments};
use crate::call::{Kind, Verb};
use crate::group_patch::replaces_members;
use crate::turn::Turn;
use crate::wire::Response;
use scim::ScimError;

pub(super) const MEMBERS_NO_REPLACE: Entry = Entry {
    name: "members-no-replace",
    form: "members-no-replace",
    about: "a PATCH that replaces or removes all members of a group, and a PUT that names members, answer 400",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(MembersNoReplace))
    },
};

struct MembersNoReplace;

impl Effect for MembersNoReplace {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        let changes = matches!(turn.call.verb, Verb::Put | Verb::Patch);
        if turn.call.kind() != Some(Kind::Groups) || !changes {
            return None;
        }
        let refused = replaces_members(turn.call.verb, turn.call.body.as_ref().ok()?);
        refused.then(|| ScimError::invalid_value("members can only be added and removed one by one").into())
    }
}
