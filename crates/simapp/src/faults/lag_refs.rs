//! `lag-refs`: groups do not know an account that is only just created.

use super::{Change, Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::Response;
use scim::ScimError;

pub(super) const LAG_REFS: Entry = Entry {
    name: "lag-refs",
    form: "lag-refs=MS",
    about: "adding a member whose account is younger than that many milliseconds answers 404",
    build: |text| {
        let ms: u32 = number(text)?;
        Ok(Box::new(LagRefs { ms: i64::from(ms) }))
    },
};

struct LagRefs {
    ms: i64,
}

impl Effect for LagRefs {
    fn check(&mut self, turn: &mut Turn<'_>, change: &Change<'_>) -> Option<Response> {
        let (Change::CreateGroup { members, .. } | Change::UpdateGroup { members, .. }) = change else {
            return None;
        };
        let state = &*turn.state;
        let is_young = |id: &str| {
            let created_ms = state.user(id).map(|user| user.created_ms);
            created_ms.is_some_and(|created_ms| turn.now_ms.saturating_sub(created_ms) < self.ms)
        };
        let young = members.added().find(|id| is_young(id))?;
        Some(ScimError::not_found(format!("the member {young:?} does not exist")).into())
    }
}
