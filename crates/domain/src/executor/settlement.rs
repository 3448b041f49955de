//! Everything that one transaction records after a step, as plain values.

use super::LaneSignal;
use crate::cause::Finding;
use crate::ids::{IntentId, Subject, UserId};
use crate::mapping::Attributes;
use crate::plan::Key;
use crate::remote::Evidence;
use crate::snapshot::{EdgeState, LinkState};

/// Everything that one transaction records.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The intent that ends, and how.
    pub intent: Option<(IntentId, IntentEnd)>,
    /// HTTP status and the app's words, for the intent's row.
    pub evidence: Option<Evidence>,
    /// What changes in the link.
    pub link: Option<LinkChange>,
    /// What changes in memberships.
    pub edges: Vec<EdgeResult>,
    /// A problem to be opened (or counted again).
    pub finding: Option<Finding>,
    /// What becomes of the mark.
    pub after: After,
    /// Generation of the mark that the snapshot was taken under.
    pub mark_generation: i64,
    /// When the snapshot was taken, Unix milliseconds.
    pub planned_ms: i64,
    /// The look at the app that was due has been taken.
    pub verified: bool,
    /// What the run learned about the lane.
    pub lane: LaneSignal,
    /// Name of the write that was applied.
    pub applied: Option<&'static str>,
    /// Users whose account must be read in the app: a request suggests that it is gone.
    pub verify_users: Vec<UserId>,
    /// When the app must be read once more: an earlier request may take effect until then.
    pub look_again_ms: Option<i64>,
}

/// How an intent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentEnd {
    /// It took effect.
    Applied,
    /// The app refused it.
    Rejected,
    /// Nobody knows yet.
    Unknown,
    /// It certainly took no effect.
    NotApplied,
}

/// The new content of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkChange {
    /// The new state.
    pub state: LinkState,
    /// The new remote id; none keeps what is there.
    pub remote_id: Option<String>,
    /// The new acknowledged attributes; none keeps them.
    pub acknowledged: Option<Attributes>,
    /// Values that the app stores in another form than they were sent in.
    pub normal: Option<Attributes>,
    /// The keys that the subject holds from now on; none keeps them.
    pub keys: Option<Vec<Key>>,
}

/// The result of one membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeResult {
    /// The member.
    pub user: UserId,
    /// Generation of the edge when it was read; it stays dirty if that has risen.
    pub generation: i64,
    /// What the app holds.
    pub state: EdgeState,
    /// It must be looked at again.
    pub dirty: bool,
    /// Why it waits.
    pub waits: Option<String>,
    /// Generation of the member's link that the request relied on.
    pub link_generation: i64,
}

/// What becomes of the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Done: deleted if its generation is unchanged.
    Done,
    /// The same run goes on with a fresh snapshot.
    Again,
    /// Tried again at this time (Unix milliseconds); counts as a failed try if so.
    Later {
        /// When.
        due_ms: i64,
        /// It was a failure.
        failed: bool,
        /// The app must be read then.
        verify: bool,
    },
    /// Waits until that subject gives up the key.
    WaitFor {
        /// Who holds the key.
        holder: Subject,
        /// The key.
        key: Key,
    },
    /// Parked until the desired state changes or a person retries.
    Park,
    /// Stays as it is: the lane is held or throttled.
    Keep,
}
