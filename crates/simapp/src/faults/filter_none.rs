//! `filter-none`: a filter is ignored and everything is returned.

use super::{Effect, Entry, no_arguments};
use crate::call::Target;
use crate::turn::Turn;
use crate::wire::Response;

pub(super) const FILTER_NONE: Entry = Entry {
    name: "filter-none",
    form: "filter-none",
    about: "the filter of a list is ignored: the answer is 200 with the whole list",
    build: |text| {
        no_arguments(text)?;
        Ok(Box::new(FilterNone))
    },
};

struct FilterNone;

impl Effect for FilterNone {
    fn admit(&mut self, turn: &mut Turn<'_>) -> Option<Response> {
        let parameters = turn.call.query.len();
        turn.call.query.retain(|(name, _)| !name.eq_ignore_ascii_case("filter"));
        let searched = matches!(turn.call.target, Target::Search(_))
            && turn.call.body.as_mut().ok().and_then(|body| body.as_object_mut()?.remove("filter")).is_some();
        if turn.call.query.len() < parameters || searched {
            turn.fire();
        }
        None
    }
}
