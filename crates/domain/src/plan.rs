//! The one planner: from a snapshot and what was learned from the app to the next operation and its reasons.

use serde::Serialize;
use serde_json::Value;

use crate::cause::{Cause, Finding};
use crate::ids::{Subject, UserId};
use crate::mapping::Attributes;
use crate::plan_group::plan_group;
use crate::plan_user::plan_user;
use crate::remote::{Remote, RemoteKind};
use crate::snapshot::{EdgeState, LinkState, Snapshot};

/// What was read from the app during this run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Objects that match, re-checked against their key; none: nobody has looked yet.
    pub candidates: Option<Vec<Candidate>>,
    /// The linked object as it was just read.
    pub observed: Option<Observed>,
    /// The app answered 409 to a create after a look-up had found nothing.
    pub conflict: bool,
}

/// An object in the app that may be the subject's.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The object.
    pub remote: Remote,
    /// Which key it matched.
    pub matched: Matched,
    /// Another subject of ours is tied to it.
    pub taken_by: Option<Subject>,
}

/// Which key an object matched, re-checked here: some apps ignore filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matched {
    /// It carries our externalId: it is ours.
    ExternalId,
    /// Its matching attribute is equal.
    Key,
}

/// The linked object as it was just read.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// It is there.
    There(Box<Remote>),
    /// It is gone.
    Gone,
}

/// What must be done next, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The next operation.
    pub operation: Operation,
    /// The reasons, in the order they were found.
    pub reasons: Vec<Reason>,
    /// What happens to a request whose outcome was unknown.
    pub resolves: Option<Resolution>,
}

/// What is now known of a request whose outcome was unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It took effect.
    Applied,
    /// It did not take effect.
    NotApplied,
}

/// One reason in an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable code.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
}

impl Reason {
    /// A reason from its code and sentence.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The next operation for one subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Nothing is to be done.
    Nothing,
    /// Nothing can be done before something else happened.
    Wait(Wait),
    /// A person, a switch or the app stands in the way.
    Blocked(Finding),
    /// Look the object up by externalId, then by the matching attribute.
    Locate(Locate),
    /// Read the linked object.
    Verify {
        /// Users or groups.
        kind: RemoteKind,
        /// Its id.
        remote_id: String,
    },
    /// Tie the subject to an object that is there.
    Adopt {
        /// The object.
        remote: Remote,
        /// What it holds of the mapped attributes.
        acknowledged: Attributes,
        /// Live or disabled.
        state: LinkState,
        /// Keys that the subject holds from now on.
        keys: Vec<Key>,
    },
    /// Note that the link's state changed without a request.
    Relink {
        /// The new state.
        state: LinkState,
    },
    /// Note what the app really holds; it differs from what was acknowledged.
    Observe {
        /// What the app holds now.
        acknowledged: Attributes,
        /// Live or disabled, as it was seen.
        state: LinkState,
    },
    /// A request that changes the app.
    Write(Write),
}

/// How to look an object up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locate {
    /// Users or groups.
    pub kind: RemoteKind,
    /// Our externalId.
    pub external_id: String,
    /// The matching attribute.
    pub attribute: String,
    /// Its value.
    pub value: String,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A request may still take effect until then.
    InFlight {
        /// When the window closes.
        until_ms: i64,
    },
    /// Another subject holds a key that this one needs.
    Key {
        /// The key.
        key: Key,
        /// Who holds it.
        holder: Subject,
        /// Nothing is planned that would make the holder give it up: a person has to decide.
        kept: bool,
    },
    /// The app is in preview or paused.
    AppNotActive,
}

/// A key that is unique in the app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The attribute, for example `userName`.
    pub attribute: String,
    /// The folded value.
    pub value_key: String,
}

/// A request that changes the app.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Create the object.
    Create {
        /// Users or groups.
        kind: RemoteKind,
        /// What it shall have.
        attributes: Attributes,
        /// Keys to reserve before it is sent.
        keys: Vec<Key>,
    },
    /// Change attributes, `active` among them only if it changes.
    Update {
        /// Users or groups.
        kind: RemoteKind,
        /// The object.
        remote_id: String,
        /// New value by path; null clears.
        changes: Attributes,
        /// What the app holds now, as far as is known.
        before: Attributes,
        /// What will be acknowledged afterwards.
        after: Attributes,
        /// Keys to reserve before it is sent, old ones are released afterwards.
        keys: Vec<Key>,
        /// Live (also: reactivated) or disabled afterwards.
        state: LinkState,
    },
    /// Deactivate the account.
    Deactivate {
        /// The account.
        remote_id: String,
        /// What will be acknowledged afterwards.
        after: Attributes,
    },
    /// Delete the object.
    Delete {
        /// Users or groups.
        kind: RemoteKind,
        /// The object.
        remote_id: String,
    },
    /// Change memberships, and note those that wait or are settled without a request.
    Members {
        /// The group in the app.
        remote_id: String,
        /// Members to add.
        add: Vec<EdgeChange>,
        /// Members to remove.
        remove: Vec<EdgeChange>,
        /// Edges that need no request now.
        noted: Vec<EdgeNote>,
    },
}

/// A membership inside a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeChange {
    /// The member.
    pub user: UserId,
    /// The account's id.
    pub account: String,
    /// Generation of the edge when it was read.
    pub generation: i64,
    /// Generation of the member's link that the request relies on.
    pub link_generation: i64,
    /// Removed although still a member in the directory: why the membership waits afterwards.
    pub waits: Option<&'static str>,
}

/// A membership that is settled without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeNote {
    /// The member.
    pub user: UserId,
    /// Generation of the edge when it was read.
    pub generation: i64,
    /// What the app holds.
    pub state: EdgeState,
    /// Why a wanted membership waits: a code from the closed list.
    pub waits: Option<&'static str>,
}

impl Write {
    /// The operation's stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Write::Create { .. } => "create",
            Write::Update { .. } => "update",
            Write::Deactivate { .. } => "deactivate",
            Write::Delete { .. } => "delete",
            Write::Members { .. } => "members",
        }
    }

    /// The guard must allow it.
    pub fn is_destructive(&self) -> bool {
        match self {
            Write::Deactivate { .. } | Write::Delete { .. } => true,
            Write::Members { remove, .. } => !remove.is_empty(),
            Write::Create { .. } | Write::Update { .. } => false,
        }
    }
}

/// Plans the next operation of one subject. Total and pure: same input, same plan.
pub fn plan(snapshot: &Snapshot, known: &Known) -> Plan {
    let mut plan = match snapshot {
        Snapshot::User(user) => plan_user(user, known),
        Snapshot::Group(group) => plan_group(group, known),
    };
    crate::check::check(snapshot, &mut plan);
    plan
}

/// Collects reasons while a plan is made.
#[derive(Debug, Default)]
pub(crate) struct Reasons(pub(crate) Vec<Reason>);

impl Reasons {
    pub(crate) fn add(&mut self, code: &'static str, text: impl Into<String>) {
        self.0.push(Reason::new(code, text));
    }

    pub(crate) fn finish(self, operation: Operation) -> Plan {
        Plan { operation, reasons: self.0, resolves: None }
    }

    pub(crate) fn blocked(mut self, cause: Cause, evidence: Value) -> Plan {
        self.add(cause.code(), cause.title());
        self.finish(Operation::Blocked(Finding { cause, evidence }))
    }
}
