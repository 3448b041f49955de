//! Everything the planner may look at, read in one snapshot: plain values, no handles.

use std::sync::Arc;

use scim::{Filter, ResourceType};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::directory::{Group, User};
use crate::ids::{GroupId, IntentId, Subject, UserId, WaveId};
use crate::mapping::{Attributes, Mapping, MappingError};

/// An app with its mapping and scope compiled. Compiled once per version of the app.
#[derive(Clone, Debug)]
pub struct CompiledApp {
    /// The app as stored.
    pub app: App,
    /// The compiled mapping.
    pub mapping: Mapping,
    /// The compiled scope filter.
    pub scope: Option<Filter>,
    /// The app's user schema.
    pub user_type: ResourceType,
}

impl CompiledApp {
    /// Compiles mapping and scope; every error is listed.
    pub fn compile(app: App) -> Result<Self, Vec<MappingError>> {
        let user_type = ResourceType::user();
        let mapping = Mapping::compile(&app.settings.mapping, &user_type)?;
        let scope = match &app.settings.scope {
            None => None,
            Some(text) => Some(compile_scope(text, &user_type).map_err(|error| vec![error])?),
        };
        Ok(Self { app, mapping, scope, user_type })
    }
}

fn compile_scope(text: &str, user_type: &ResourceType) -> Result<Filter, MappingError> {
    let error = |problem: String| MappingError { target: "scope".into(), problem };
    let filter = Filter::parse(text).map_err(|problem| error(problem.to_string()))?;
    filter.check(user_type).map_err(|problem| error(problem.detail))?;
    Ok(filter)
}

/// What is known of one subject in one app.
#[derive(Clone, Debug)]
pub enum Snapshot {
    /// A user and the account.
    User(Box<UserSnapshot>),
    /// A push group.
    Group(Box<GroupSnapshot>),
}

impl Snapshot {
    /// What both kinds share.
    pub fn base(&self) -> &Base {
        match self {
            Snapshot::User(user) => &user.base,
            Snapshot::Group(group) => &group.base,
        }
    }
}

impl Snapshot {
    /// The snapshot without its mark: what would be planned if nothing were queued.
    #[must_use]
    pub fn without_mark(mut self) -> Self {
        match &mut self {
            Snapshot::User(user) => user.base.mark = None,
            Snapshot::Group(group) => group.base.mark = None,
        }
        self
    }
}

/// What a user's and a group's snapshot share.
#[derive(Clone, Debug)]
pub struct Base {
    /// Unix milliseconds when the snapshot was taken.
    pub now_ms: i64,
    /// The app.
    pub app: Arc<CompiledApp>,
    /// The tie to the remote object.
    pub link: Option<Link>,
    /// A request whose outcome is not known.
    pub intent: Option<OpenIntent>,
    /// The mark that led here; none for previews and `why`.
    pub mark: Option<MarkView>,
}

/// A user in one app.
#[derive(Clone, Debug)]
pub struct UserSnapshot {
    /// Shared part.
    pub base: Base,
    /// The user, also while deleted.
    pub user: User,
    /// The manager, if the reference resolves.
    pub manager: Option<ManagerView>,
    /// Display names of all groups, direct and nested; empty unless the mapping or `why` needs them.
    pub groups: Vec<String>,
    /// Why the user is entitled to the app, best priority first; empty: not assigned.
    pub entitlements: Vec<Entitlement>,
    /// Who else holds a key that this user should have.
    pub holders: Vec<KeyHolder>,
}

/// The manager as the mapping needs her.
#[derive(Clone, Debug)]
pub struct ManagerView {
    /// The directory user.
    pub user: User,
    /// Her account's id in this app, once live.
    pub account: Option<String>,
}

/// One reason why somebody is entitled to an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "lowercase")]
pub enum Entitlement {
    /// Assigned directly.
    Direct,
    /// Assigned through a group, directly or nested.
    Group {
        /// The assigned group.
        id: GroupId,
        /// Its display name.
        name: String,
    },
}

/// A key (for example a user name) that another subject holds in the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The attribute.
    pub attribute: String,
    /// The folded value.
    pub value_key: String,
    /// Who holds it.
    pub subject: Subject,
    /// The holder waits for this subject: a cycle.
    pub waits_for_us: bool,
    /// Nothing is planned that would make the holder give the key up.
    pub keeps_it: bool,
}

/// A push group in one app.
#[derive(Clone, Debug)]
pub struct GroupSnapshot {
    /// Shared part.
    pub base: Base,
    /// The group, also while deleted.
    pub group: Group,
    /// What the app should have of it.
    pub push: Push,
    /// Memberships that may differ, at most as many as were asked for.
    pub edges: Vec<EdgeView>,
    /// All memberships that are present in the app (for the guard); counted only when removals are due.
    pub present_edges: i64,
    /// Present memberships that may have to be removed; counted only when removals are due. What was already sent is not
    /// among them.
    pub removal_candidates: i64,
}

impl GroupSnapshot {
    /// True if the user is known to be a member in the app.
    pub fn holds(&self, user: &UserId) -> bool {
        self.edges.iter().any(|edge| edge.user == *user && edge.state == EdgeState::Present)
    }
}

/// Whether a directory group is mirrored in the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Push {
    /// Mirrored.
    Active,
    /// The push was removed and the group shall be deleted in the app.
    Delete,
    /// The push was removed and the group stays in the app as it is.
    Leave,
}

/// One membership that may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeView {
    /// The member.
    pub user: UserId,
    /// What the app is known to hold.
    pub state: EdgeState,
    /// Generation of the edge when it was read.
    pub generation: i64,
    /// The user is an effective member of the group in the directory.
    pub member: bool,
    /// State of the user's link, if there is one.
    pub link: Option<LinkState>,
    /// The user's account id in the app.
    pub account: Option<String>,
    /// Generation of that link.
    pub link_generation: i64,
    /// The user is active in the directory and not deleted.
    pub active: bool,
    /// The user is assigned to the app, directly or through a group.
    pub entitled: bool,
}

/// What the app is known to hold of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeState {
    /// Not a member there.
    Absent,
    /// A member there.
    Present,
    /// A request was sent and its outcome is not known.
    Unknown,
    /// The app refuses this member.
    Refused,
}

impl EdgeState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            EdgeState::Absent => "absent",
            EdgeState::Present => "present",
            EdgeState::Unknown => "unknown",
            EdgeState::Refused => "refused",
        }
    }

    /// From the stored text; unknown text is `Unknown`, which leads to a harmless repetition.
    pub fn parse(text: &str) -> Self {
        match text {
            "absent" => EdgeState::Absent,
            "present" => EdgeState::Present,
            "refused" => EdgeState::Refused,
            _ => EdgeState::Unknown,
        }
    }
}

/// The tie between a subject and its remote object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Where it stands.
    pub state: LinkState,
    /// The app's id.
    pub remote_id: Option<String>,
    /// Rises with every change of the link.
    pub generation: i64,
    /// What the app accepted from us, by path.
    pub acknowledged: Attributes,
    /// Where the app stores another form of what it accepted (its normal form), by path.
    pub normal: Attributes,
    /// What was last read there, where it differs from both.
    pub observed: Attributes,
    /// When the app last confirmed it.
    pub confirmed_ms: i64,
}

/// The state of a link. Work in flight is no link state: it is the open intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Confirmed and active.
    Live,
    /// Confirmed and deactivated by us.
    Disabled,
    /// Deleted by us.
    Tombstone,
    /// Gone in the app without us.
    Lost,
    /// An account exists that a person must decide about.
    Disputed,
    /// Still there, not ours to manage any more.
    Unmanaged,
}

impl LinkState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkState::Live => "live",
            LinkState::Disabled => "disabled",
            LinkState::Tombstone => "tombstone",
            LinkState::Lost => "lost",
            LinkState::Disputed => "disputed",
            LinkState::Unmanaged => "unmanaged",
        }
    }

    /// From the stored text; unknown text is `Disputed`, the state that waits for a person.
    pub fn parse(text: &str) -> Self {
        match text {
            "live" => LinkState::Live,
            "disabled" => LinkState::Disabled,
            "tombstone" => LinkState::Tombstone,
            "lost" => LinkState::Lost,
            "unmanaged" => LinkState::Unmanaged,
            _ => LinkState::Disputed,
        }
    }
}

/// A request whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIntent {
    /// Its record.
    pub id: IntentId,
    /// What it was: the operation's name.
    pub kind: String,
    /// When it was sent.
    pub sent_ms: i64,
}

/// The mark as the executor needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkView {
    /// Read before the snapshot; the mark is deleted only if it is unchanged.
    pub generation: i64,
    /// The change that caused it.
    pub wave: WaveId,
    /// The guard has released its destructive effect.
    pub released: bool,
    /// The object must be read in the app from this time on, whatever was acknowledged.
    pub verify_ms: Option<i64>,
    /// Failed tries so far; throttled ones do not count.
    pub attempts: i64,
}

impl MarkView {
    /// A look at the app itself is due.
    pub fn verify_due(&self, now_ms: i64) -> bool {
        self.verify_ms.is_some_and(|due| due <= now_ms)
    }
}
