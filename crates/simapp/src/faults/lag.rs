//! `lag`: reads are served by a replica that is behind.

use super::{Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::Reply;

pub(super) const LAG: Entry = Entry {
    name: "lag",
    form: "lag=MS",
    about: "reads show the app as it was that many milliseconds ago: what was just created answers 404",
    build: |text| {
        let ms: u32 = number(text)?;
        Ok(Box::new(Lag { ms: i64::from(ms) }))
    },
};

struct Lag {
    ms: i64,
}

impl Effect for Lag {
    fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        if !turn.call.is_write() {
            let moment_ms = turn.now_ms.saturating_sub(self.ms);
            turn.as_of_ms = Some(turn.as_of_ms.map_or(moment_ms, |other| other.min(moment_ms)));
            turn.fire();
        }
        None
    }

    fn history_ms(&self) -> i64 {
        self.ms
    }
}
