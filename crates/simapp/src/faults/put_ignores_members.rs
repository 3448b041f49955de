//! `put-ignores-members`: a group's members in POST and PUT are dropped and the answer is a success.

use super::{Effect, Entry, no_arguments};
use crate::call::{Kind, Target, Verb};
use crate::group_patch::take_members;
use crate::turn::Turn;
use crate::wire::Response;
use serde_json::{Value, json};

pub(super) const PUT_IGNORES_MEMBERS: Entry = Entry {
    name: "put-ignores-members",
    form: "put-ignores-members",
    about: "POST and PUT of a group succeed but leave its members as they were",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(PutIgnoresMembers))
    },
};

struct PutIgnoresMembers;

impl Effect for PutIgnoresMembers {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        if turn.call.kind() != Some(Kind::Groups) || !matches!(turn.call.verb, Verb::Post | Verb::Put) {
            return None;
        }
        let body = turn.call.body.as_mut().ok()?;
        let named = take_members(body).is_some();
        if let Target::One(_, id) = &turn.call.target
            && let Some(group) = turn.state.group(id)
            && let Some(body) = body.as_object_mut()
        {
            let kept: Value = group.members.iter().map(|member| json!({ "value": &**member })).collect();
            body.insert("members".to_owned(), kept);
        }
        if named {
            turn.fire();
        }
        None
    }
}
