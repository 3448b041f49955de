//! Problems of input files: collected up to a number, so that a person can mend several at once.

use crate::EngineError;

/// How many problems are named.
const SHOWN: usize = 20;

/// What is wrong with the files.
#[derive(Debug, Default)]
pub(super) struct Problems {
    shown: Vec<String>,
    more: usize,
}

impl Problems {
    /// Notes a problem: its place, the rule that is broken, what to do next.
    pub(super) fn add(&mut self, place: &str, rule: &str, next: &str) {
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{place}: {rule}; {next}"));
        } else {
            self.more += 1;
        }
    }

    /// Whether further problems are counted and no longer named.
    pub(super) fn is_full(&self) -> bool {
        self.shown.len() >= SHOWN
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// An error that names them, if there are any.
    pub(super) fn check(self) -> Result<(), EngineError> {
        let total = self.shown.len() + self.more;
        if total == 0 {
            return Ok(());
        }
        let noun = if total == 1 { "problem" } else { "problems" };
        let mut text = format!("nothing was loaded, because of {total} {noun}:");
        for problem in &self.shown {
            text.push_str("\n  ");
            text.push_str(problem);
        }
        if self.more > 0 {
            text.push_str(&format!("\n  and {} more", self.more));
        }
        Err(EngineError::Invalid(text))
    }
}
