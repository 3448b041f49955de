//! Faults: what real apps, their proxies and their people do to a client. One file and one line here each.

mod chance;
mod commit_then_5xx;
mod conflict_plain;
mod delete_soft;
mod down;
mod filter_none;
mod lag;
mod lag_refs;
mod latency;
mod lost_answer;
mod members_cap;
mod members_hidden;
mod members_no_replace;
mod no_patch;
mod put_ignores_members;
mod read_5xx;
mod rule;
mod rules;
mod seats;
mod throttle;
mod token_expires;

use crate::wire::{Reply, Response};
use serde_json::Value;

pub use crate::members::MemberEdit;
pub use crate::state::{Group, Id, State, User};
pub use crate::turn::{Turn, Types};
pub use rule::{Fault, FaultError, FaultRule};
pub use rules::FaultStatus;
pub(crate) use rules::Rules;

/// Every fault, in the order of the help text.
static CATALOGUE: &[Entry] = &[
    latency::LATENCY,
    throttle::THROTTLE,
    throttle::THROTTLE_DATE,
    lost_answer::BEFORE,
    lost_answer::AFTER,
    commit_then_5xx::COMMIT_THEN_5XX,
    read_5xx::READ_5XX,
    down::DOWN,
    token_expires::TOKEN_EXPIRES,
    lag::LAG,
    lag_refs::LAG_REFS,
    seats::SEATS,
    delete_soft::DELETE_SOFT,
    conflict_plain::CONFLICT_PLAIN,
    no_patch::NO_PATCH,
    filter_none::FILTER_NONE,
    members_cap::MEMBERS_CAP,
    members_no_replace::MEMBERS_NO_REPLACE,
    members_hidden::MEMBERS_HIDDEN,
    put_ignores_members::PUT_IGNORES_MEMBERS,
];

/// One kind of fault: its name, how it is written, what it does.
#[derive(Debug)]
pub struct Entry {
    /// The name, for example `lag`.
    pub name: &'static str,
    /// How it is written, for example `lag=MS`.
    pub form: &'static str,
    /// One line for the help text.
    pub about: &'static str,
    build: fn(&str) -> Result<Box<dyn Effect>, String>,
}

/// Every fault that [`Fault::parse`] knows, in the order of the help text.
pub fn catalogue() -> &'static [Entry] {
    CATALOGUE
}

/// A change that an endpoint is about to make; a fault may still refuse it.
#[derive(Debug)]
pub enum Change<'a> {
    /// A new user.
    CreateUser {
        /// The document to be stored.
        after: &'a Value,
    },
    /// A changed user.
    UpdateUser {
        /// The user's id.
        id: &'a str,
        /// The document so far.
        before: &'a Value,
        /// The document to be stored.
        after: &'a Value,
    },
    /// A user to be deleted.
    DeleteUser {
        /// The user's id.
        id: &'a str,
        /// The document so far.
        before: &'a Value,
    },
    /// A new group.
    CreateGroup {
        /// The document to be stored, without members.
        after: &'a Value,
        /// Its members.
        members: &'a MemberEdit,
    },
    /// A changed group.
    UpdateGroup {
        /// The group's id.
        id: &'a str,
        /// The document to be stored, without members.
        after: &'a Value,
        /// What changes in its members.
        members: &'a MemberEdit,
    },
    /// A group to be deleted.
    DeleteGroup {
        /// The group's id.
        id: &'a str,
    },
}

/// What a fault does. Each hook sees the requests that its rule is limited to, in this order.
pub trait Effect: Send {
    /// Before anything is looked at, credentials included: may answer or reset at once.
    fn before(&mut self, _turn: &mut Turn<'_>) -> Option<Reply> {
        None
    }

    /// After the credentials were accepted and before the endpoint: may change the call or answer it.
    fn admit(&mut self, _turn: &mut Turn<'_>) -> Option<Response> {
        None
    }

    /// Before a valid change is stored: may refuse it.
    fn check(&mut self, _turn: &mut Turn<'_>, _change: &Change<'_>) -> Option<Response> {
        None
    }

    /// When the reply is ready and changes are stored: may alter, delay or lose the reply; true if it did.
    fn after(&mut self, _turn: &mut Turn<'_>, _reply: &mut Reply) -> bool {
        false
    }

    /// For how long the app must remember what resources looked like before a write; milliseconds.
    fn history_ms(&self) -> i64 {
        0
    }
}

/// Reads a number argument of a fault.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no number that fits"))
}

/// Refuses arguments of a fault that takes none.
fn no_arguments(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { Err("it takes no arguments".to_owned()) }
}
