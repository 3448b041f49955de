//! `no-patch`: resources can only be replaced.

use super::{Effect, Entry};
use crate::call::{Target, Verb};
use crate::turn::Turn;
use crate::wire::{Reply, Response};
use serde_json::Value;

pub(super) const NO_PATCH: Entry = Entry {
    name: "no-patch",
    form: "no-patch[=liar]",
    about: "PATCH answers 501 (liar: ServiceProviderConfig says all the same that it works)",
    build: |text| match text {
        "" => Ok(Box::new(NoPatch { liar: false })),
        "liar" => Ok(Box::new(NoPatch { liar: true })),
        _ => Err("the only argument is liar".to_owned()),
    },
};

struct NoPatch {
    liar: bool,
}

impl Effect for NoPatch {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        (turn.call.verb == Verb::Patch).then(|| Response::error(501, "PATCH is not supported"))
    }

    fn after(&mut self, turn: &mut Turn<'_>, reply: &mut Reply) -> bool {
        if self.liar || turn.call.target != Target::ServiceProviderConfig {
            return false;
        }
        let Some(mut body) =
            reply.response().filter(|response| response.status == 200).and_then(Response::value)
        else {
            return false;
        };
        body["patch"]["supported"] = Value::Bool(false);
        *reply = Reply::Answer { response: Response::json(200, &body), delay_ms: reply.delay_ms() };
        true
    }
}
