//! `latency`: every answer takes its time.

use super::{Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::Reply;

pub(super) const LATENCY: Entry = Entry {
    name: "latency",
    form: "latency=MS or latency=MS..MS",
    about: "answers arrive that many milliseconds late, or a random number in the range",
    build: |text| {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most): (u64, u64) = (number(least)?, number(most)?);
        if most < least {
            return Err("the range ends before it starts".to_owned());
        }
        Ok(Box::new(Latency { least, spread: most - least }))
    },
};

struct Latency {
    least: u64,
    spread: u64,
}

impl Effect for Latency {
    fn after(&mut self, turn: &mut Turn<'_>, reply: &mut Reply) -> bool {
        let extra = if self.spread == 0 { 0 } else { turn.random.below(self.spread.saturating_add(1)) };
        reply.delay_by(self.least.saturating_add(extra));
        true
    }
}
