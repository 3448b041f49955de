//! A fault as written: `[LIMIT:]NAME[=ARGUMENTS][*TIMES]`, for example `post-users:lost-answer-after=0.1*3`.

use super::{Effect, Entry, catalogue};
use crate::call::{Call, Kind, Verb};
use serde::{Deserialize, Serialize};

/// A fault with its arguments and limits, checked but not yet running.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fault {
    text: String,
    entry: &'static Entry,
    arguments: String,
    pub(super) limit: Limit,
    pub(super) times: Option<u64>,
}

/// The name that configurations use for a [`Fault`].
pub type FaultRule = Fault;

/// Why the text of a fault was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("there is no fault {name:?}; there are {known}")]
    Unknown {
        /// The name as written.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The arguments do not fit.
    #[error("the fault {text:?}: {reason}; it is written {form}")]
    Arguments {
        /// The fault as written.
        text: String,
        /// What is wrong.
        reason: String,
        /// How it is written.
        form: &'static str,
    },
    /// The part before the colon is no limit.
    #[error(
        "the fault {text:?}: {word:?} is no limit; limits are a method or read or write, users or groups, \
         or both as in post-users"
    )]
    Limit {
        /// The fault as written.
        text: String,
        /// The word that is not understood.
        word: String,
    },
    /// The number of times is none.
    #[error("the fault {text:?}: {word:?} is no number of times; it is written NAME*TIMES, TIMES at least 1")]
    Times {
        /// The fault as written.
        text: String,
        /// The word that is no number.
        word: String,
    },
}

impl Fault {
    /// Reads a fault, for example `members-cap=100`, `throttle=10/20` or `post-users:lost-answer-after=#3`.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let (limit, rest) = match text.split_once(':') {
            Some((limit, rest)) => (Limit::parse(text, limit)?, rest),
            None => (Limit::default(), text),
        };
        let (rest, times) = match rest.rsplit_once('*') {
            Some((rest, times)) => (rest, Some(read_times(text, times)?)),
            None => (rest, None),
        };
        let (name, arguments) = rest.split_once('=').unwrap_or((rest, ""));
        let entry = catalogue().iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
            FaultError::Unknown { name: name.to_owned(), known: names.join(", ") }
        })?;
        let fault = Self { text: text.to_owned(), entry, arguments: arguments.to_owned(), limit, times };
        match (entry.build)(arguments) {
            Ok(_) => Ok(fault),
            Err(reason) => Err(FaultError::Arguments { text: text.to_owned(), reason, form: entry.form }),
        }
    }

    /// The fault's name in the catalogue.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// The fault as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn build(&self) -> Box<dyn Effect> {
        (self.entry.build)(&self.arguments).expect("the arguments were accepted when the fault was parsed")
    }
}

impl TryFrom<String> for Fault {
    type Error = FaultError;

    fn try_from(text: String) -> Result<Self, FaultError> {
        Self::parse(&text)
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.text
    }
}

impl std::str::FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        Self::parse(text)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The requests that a fault is limited to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limit {
    verb: Option<VerbLimit>,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug)]
enum VerbLimit {
    One(Verb),
    Reads,
    Writes,
}

impl Limit {
    pub(super) fn covers(self, call: &Call) -> bool {
        let verb = match self.verb {
            None => true,
            Some(VerbLimit::One(verb)) => call.verb == verb,
            Some(VerbLimit::Reads) => !call.is_write(),
            Some(VerbLimit::Writes) => call.is_write(),
        };
        verb && self.kind.is_none_or(|kind| call.kind() == Some(kind))
    }

    fn parse(text: &str, limit: &str) -> Result<Self, FaultError> {
        let mut out = Self::default();
        for word in limit.split('-') {
            let verb = match word {
                "get" => Some(VerbLimit::One(Verb::Get)),
                "post" => Some(VerbLimit::One(Verb::Post)),
                "put" => Some(VerbLimit::One(Verb::Put)),
                "patch" => Some(VerbLimit::One(Verb::Patch)),
                "delete" => Some(VerbLimit::One(Verb::Delete)),
                "read" | "reads" => Some(VerbLimit::Reads),
                "write" | "writes" => Some(VerbLimit::Writes),
                _ => None,
            };
            let kind = match word {
                "user" | "users" => Some(Kind::Users),
                "group" | "groups" => Some(Kind::Groups),
                _ => None,
            };
            let fits = (verb.is_some() && out.verb.is_none()) || (kind.is_some() && out.kind.is_none());
            if !fits {
                return Err(FaultError::Limit { text: text.to_owned(), word: word.to_owned() });
            }
            out.verb = out.verb.or(verb);
            out.kind = out.kind.or(kind);
        }
        Ok(out)
    }
}

fn read_times(text: &str, times: &str) -> Result<u64, FaultError> {
    let refuse = || FaultError::Times { text: text.to_owned(), word: times.to_owned() };
    times.trim().parse().ok().filter(|times| *times > 0).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_catalogue_parses_in_an_example_of_its_form() {
        for entry in catalogue() {
            let example = match entry.name {
                "latency" => "latency=5..9",
                "throttle" => "throttle=10/20",
                "throttle-date" => "throttle-date=0.5/1",
                "lost-answer-before" => "lost-answer-before=#3",
                "lost-answer-after" => "lost-answer-after=0.05",
                "commit-then-5xx" => "commit-then-5xx=503@0.1",
                "token-expires-after" => "token-expires-after=100",
                "lag" => "lag=2000",
                "lag-refs" => "lag-refs=2000",
                "seats" => "seats=10",
                "members-cap" => "members-cap=100",
                name => name,
            };
            let fault = Fault::parse(&format!("patch-groups:{example}*2")).expect(example);
            assert_eq!((fault.name(), fault.times), (entry.name, Some(2)));
            assert!(entry.form.starts_with(entry.name), "{} shows its name", entry.form);
        }
    }

    #[test]
    fn bad_texts_say_what_is_wrong_and_how_it_is_written() {
        for (text, word) in [
            ("lagg=1", "lag"),
            ("lag", "lag=MS"),
            ("lag=soon", "\"soon\""),
            ("throttle=10", "RATE/BURST"),
            ("throttle=0/5", "RATE/BURST"),
            ("throttle=NaN/5", "RATE/BURST"),
            ("lost-answer-after=1.5", "between 0 and 1"),
            ("lost-answer-after=#0", "at least 1"),
            ("commit-then-5xx=200", "500 to 599"),
            ("seats=-1", "seats=N"),
            ("down=now", "takes no arguments"),
            ("posts:down", "\"posts\""),
            ("post-put:down", "\"put\""),
            ("down*0", "at least 1"),
            ("", "there is no fault"),
        ] {
            let message = Fault::parse(text).expect_err(text).to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
