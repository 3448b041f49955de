//! `conflict-plain`: a conflict is answered without the words that RFC 7644 asks for.

use super::{Effect, Entry, no_arguments};
use crate::turn::Turn;
use crate::wire::Reply;
use crate::wire::Response;
use serde_json::json;

pub(super) const CONFLICT_PLAIN: Entry = Entry {
    name: "conflict-plain",
    form: "conflict-plain",
    about: "409 comes without scimType and with a numeric status",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(ConflictPlain))
    },
};

struct ConflictPlain;

impl Effect for ConflictPlain {
    fn after(&mut self, _turn: &mut Turn<'_>, reply: &mut Reply) -> bool {
        if reply.response().is_none_or(|response| response.status != 409) {
            return false;
        }
        let body = json!({ "schemas": [scim::urn::ERROR], "status": 409, "detail": "already exists" });
        *reply = Reply::Answer { response: Response::json(409, &body), delay_ms: reply.delay_ms() };
        true
    }
}
