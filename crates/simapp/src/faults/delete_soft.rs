//! `delete-soft`: DELETE keeps the row, and the name stays taken.

use super::{Effect, Entry};
use crate::call::{Kind, Target, Verb};
use crate::turn::Turn;
use crate::wire::Response;
use serde_json::Value;

pub(super) const DELETE_SOFT: Entry = Entry {
    name: "delete-soft",
    form: "delete-soft[=visible]",
    about: "DELETE of a user answers 204, its id 404, but its userName stays taken (visible: it stays, inactive)",
    build: |text| match text {
        "" => Ok(Box::new(DeleteSoft { visible: false })),
        "visible" => Ok(Box::new(DeleteSoft { visible: true })),
        _ => Err("the only argument is visible".to_owned()),
    },
};

struct DeleteSoft {
    visible: bool,
}

impl Effect for DeleteSoft {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        let (Verb::Delete, Target::One(Kind::Users, id)) = (turn.call.verb, &turn.call.target) else {
            return None;
        };
        // An unknown id gets the endpoint's own 404.
        let mut doc = turn.state.user(id)?.doc.clone();
        if self.visible {
            doc["active"] = Value::Bool(false);
            turn.state.update_user(id, doc, turn.now_ms);
        } else {
            turn.state.bury_user(id, turn.now_ms);
        }
        turn.committed = true;
        Some(Response::empty(204))
    }
}
