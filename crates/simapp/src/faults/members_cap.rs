//! `members-cap`: a group request may name only so many members.

use super::{Effect, Entry, number};
use crate::call::Kind;
use crate::group_patch::count_members;
use crate::turn::Turn;
use crate::wire::Response;
use scim::ScimError;

pub(super) const MEMBERS_CAP: Entry = Entry {
    name: "members-cap",
    form: "members-cap=N",
    about: "a group request that names more than N members answers 400",
    build: |text| Ok(Box::new(MembersCap { cap: number(text)? })),
};

struct MembersCap {
    cap: usize,
}

impl Effect for MembersCap {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        if turn.call.kind() != Some(Kind::Groups) || !turn.call.is_write() {
            return None;
        }
        let named = count_members(turn.call.verb, turn.call.body.as_ref().ok()?);
        (named > self.cap).then(|| {
            let detail = format!("a request may name at most {} members, this one names {named}", self.cap);
            ScimError::invalid_value(detail).into()
        })
    }
}
