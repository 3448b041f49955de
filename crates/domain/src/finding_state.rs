//! What is remembered between two looks at a connection, and the rules over time: silence, refusals that come again, users
//! who came after their group, and when an open finding is over.

use serde_json::{Value, json};

use crate::cause::{Cause, Finding};
use crate::connection::IdentityProvider;
use crate::finding::{CONFLICT_WINDOW_MS, CONFLICTS};
use crate::ids::{GroupId, UserId};

/// Calls further apart than this are two visits.
const VISIT_GAP_MS: i64 = 600_000;
/// A call is noted only so often.
const NOTED_MS: i64 = 60_000;
/// Silence is never noticed earlier.
const SILENCE_MIN_MS: i64 = 24 * 3_600_000;
/// So many times the usual distance between visits is silence.
const SILENCE_TIMES: i64 = 10;
/// Entra calls every 40 minutes.
const ENTRA_CYCLE_MS: i64 = 40 * 60_000;

/// How long before a user its group must have been written to be the cause.
const BEFORE_MS: i64 = 600_000;
/// How long after its creation a user without a group is noticed, so that the identity provider can finish.
pub const LATE_AFTER_MS: i64 = 600_000;
/// How far back users are looked at.
pub const LATE_WITHIN_MS: i64 = 24 * 3_600_000;
/// So many earlier users say whether being in no group is usual.
pub const PEERS: usize = 200;
/// Fewer earlier users say nothing.
const PEERS_MIN: usize = 20;
/// The most users that evidence names.
pub const LATE_MAX: usize = 100;

const DAY_MS: i64 = 86_400_000;

/// What is remembered of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// How often: visits, or refusals within the window.
    pub times: i64,
    /// Since when the count goes.
    pub first_ms: i64,
    /// The last time.
    pub last_ms: i64,
    /// How far apart visits usually are; 0 before the second.
    pub usual_ms: i64,
}

/// A user and whether it is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// The user.
    pub id: UserId,
    /// Its user name.
    pub name: String,
    /// When it was created.
    pub created_ms: i64,
    /// It is in a group of the same connection.
    pub in_group: bool,
}

impl Watched {
    /// A call at a time; none if it need not be noted.
    pub fn called(before: Option<Self>, at_ms: i64) -> Option<Self> {
        let Some(before) = before else {
            return Some(Self { times: 1, first_ms: at_ms, last_ms: at_ms, usual_ms: 0 });
        };
        let gap = at_ms - before.last_ms;
        if gap < NOTED_MS {
            return None;
        }
        if gap <= VISIT_GAP_MS {
            return Some(Self { last_ms: at_ms, ..before });
        }
        let usual_ms = if before.usual_ms == 0 { gap } else { (before.usual_ms * 4 + gap) / 5 };
        Some(Self { times: before.times + 1, last_ms: at_ms, usual_ms, ..before })
    }

    /// A refusal at a time, counted within the window.
    pub fn refused(before: Option<Self>, at_ms: i64) -> Self {
        match before {
            Some(before) if at_ms - before.first_ms <= CONFLICT_WINDOW_MS => {
                Self { times: before.times + 1, last_ms: at_ms.max(before.last_ms), ..before }
            }
            _ => Self { times: 1, first_ms: at_ms, last_ms: at_ms, usual_ms: 0 },
        }
    }

    /// The refusal came so often that it is a finding.
    pub fn is_repeated(&self) -> bool {
        self.times >= CONFLICTS
    }

    /// From when on no call is silence; none while the usual distance is not known.
    pub fn silent_from(&self, provider: IdentityProvider) -> Option<i64> {
        let usual = match provider {
            IdentityProvider::Entra => ENTRA_CYCLE_MS.max(self.usual_ms),
            _ if self.times < 3 => return None,
            _ => self.usual_ms,
        };
        Some(self.last_ms + usual.saturating_mul(SILENCE_TIMES).max(SILENCE_MIN_MS))
    }
}

/// The connection has fallen silent.
pub fn silence(call: &Watched, provider: IdentityProvider, now_ms: i64) -> Option<Finding> {
    let from = call.silent_from(provider)?;
    (now_ms >= from).then(|| Finding {
        cause: Cause::ConnectionSilent,
        evidence: json!({"last_call_ms": call.last_ms, "silent_for_hours": (now_ms - call.last_ms) / 3_600_000,
            "usual_minutes_between_visits": call.usual_ms / 60_000}),
    })
}

/// Users who are in no group of the connection although a group was written shortly before they were created and not since:
/// the membership was sent too early, or left out. `writes`: the connection's groups with their last write, oldest first.
/// `peers`: users created before; where many of them are in no group either, that says nothing. One finding per group, the
/// one written last before the user.
pub fn late_members(
    writes: &[(GroupId, String, i64)],
    created: &[Late],
    peers: &[Late],
) -> Vec<(GroupId, Finding)> {
    let lonely = peers.iter().filter(|peer| !peer.in_group).count();
    if peers.len() >= PEERS_MIN && lonely * 5 > peers.len() {
        return vec![];
    }
    let before = |user: &Late| {
        writes.iter().rev().find(|(_, _, at)| *at <= user.created_ms && user.created_ms - at <= BEFORE_MS)
    };
    let mut found: Vec<(GroupId, Finding)> = vec![];
    for (group, name, written_ms) in writes {
        let users: Vec<Value> = created
            .iter()
            .filter(|user| !user.in_group && before(user).is_some_and(|(id, ..)| id == group))
            .take(LATE_MAX)
            .map(|user| late(user, *written_ms))
            .collect();
        if !users.is_empty() {
            let evidence = json!({"name": name, "written_ms": written_ms, "users": users});
            found.push((group.clone(), Finding { cause: Cause::MemberLate, evidence }));
        }
    }
    found
}

fn late(user: &Late, written_ms: i64) -> Value {
    let seconds = (user.created_ms - written_ms) / 1_000;
    json!({"id": user.id.as_str(), "name": user.name, "created_seconds_after_the_group": seconds})
}

/// How long a finding stays open that traffic does not show again; none: until its cause is gone.
pub fn fades_after_ms(cause: Cause) -> Option<i64> {
    match cause {
        Cause::ConflictRepeated => Some(DAY_MS),
        Cause::DeletedWritten => Some(30 * DAY_MS),
        Cause::MemberUnknown
        | Cause::GroupNested
        | Cause::GroupNameEmpty
        | Cause::GroupNameTaken
        | Cause::GroupNameTooLong
        | Cause::GroupAttributeUnknown => Some(7 * DAY_MS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_usual_distance_is_learned_and_silence_is_ten_times_that_but_a_day_at_least() {
        let mut call = None;
        for visit in 0..10 {
            for second in [0, 30, 90] {
                call = Watched::called(call, visit * 2 * HOUR + second * 1_000).or(call);
            }
        }
        let call = call.unwrap();
        assert_eq!(call.times, 10);
        assert!((call.usual_ms - 2 * HOUR).abs() < 200_000, "{call:?}");
        let okta = IdentityProvider::Okta;
        assert_eq!(silence(&call, okta, call.last_ms + 23 * HOUR), None);
        assert!(silence(&call, okta, call.last_ms + 24 * HOUR).is_some());
        let weekly = Watched { usual_ms: 7 * 24 * HOUR, ..call };
        assert_eq!(silence(&weekly, okta, call.last_ms + 69 * 24 * HOUR), None);
        assert!(silence(&weekly, okta, call.last_ms + 71 * 24 * HOUR).is_some());
        let once = Watched::called(None, 0).unwrap();
        assert_eq!(silence(&once, okta, 1_000 * 24 * HOUR), None, "its habits are not known");
        assert!(silence(&once, IdentityProvider::Entra, 25 * HOUR).is_some(), "Entra's are");
    }

    #[test]
    fn three_refusals_within_an_hour_are_a_finding_and_slower_ones_are_not() {
        let count = |times: &[i64]| {
            let all = times.iter().fold(None, |before, at| Some(Watched::refused(before, *at)));
            all.is_some_and(|watched| watched.is_repeated())
        };
        assert!(count(&[0, 1_000, HOUR]));
        assert!(!count(&[0, 1_000]));
        assert!(!count(&[0, 40 * 60_000, 80 * 60_000, 120 * 60_000]), "an hour and more apart in all");
    }

    #[test]
    fn s01_users_created_after_their_group_are_named_with_the_seconds_between() {
        let user = |n: i64, created_ms: i64, in_group: bool| Late {
            id: UserId::new(n.to_string()),
            name: format!("u{n}"),
            created_ms,
            in_group,
        };
        let writes = vec![
            (GroupId::new("a"), "A".to_owned(), 1_000_000),
            (GroupId::new("b"), "B".to_owned(), 1_020_000),
        ];
        let created = [
            user(1, 1_027_000, false),
            user(2, 1_030_000, true),
            user(3, 900_000, false),
            user(4, 1_010_000, false),
            user(5, 1_020_000 + BEFORE_MS + 1, false),
        ];
        let found = late_members(&writes, &created, &[]);
        let shown: Vec<(&str, &Value)> =
            found.iter().map(|(group, finding)| (group.as_str(), &finding.evidence["users"])).collect();
        assert_eq!(
            shown,
            [
                ("a", &json!([{"id": "4", "name": "u4", "created_seconds_after_the_group": 10}])),
                ("b", &json!([{"id": "1", "name": "u1", "created_seconds_after_the_group": 7}])),
            ]
        );
        let peers: Vec<Late> = (0..40).map(|n| user(n, 0, n % 2 == 0)).collect();
        assert_eq!(late_members(&writes, &created, &peers), [], "half of all users are in no group anyway");
        let peers: Vec<Late> = (0..40).map(|n| user(n, 0, n > 3)).collect();
        assert_eq!(late_members(&writes, &created, &peers).len(), 2);
    }
}
