//! Users whom a connection took away or who may not be active yet, and what becomes of them with time.

use crate::connection::{ConnectionSettings, OnDeactivate, OnDelete};
use crate::ids::{ConnectionId, UserId};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Why a user is inactive because of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepartureState {
    /// The identity provider deleted the user, whom the policy keeps: its callers do not see the user any more.
    Deleted,
    /// The identity provider said `active: false`, and the policy deletes later.
    Deactivated,
    /// The identity provider said `active: true` before the user was in the required group.
    Waiting,
}

/// One user and one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The connection.
    pub connection: ConnectionId,
    /// The user, who is there and inactive.
    pub user: UserId,
    /// Why.
    pub state: DepartureState,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// When the user is looked at again, to be deleted.
    pub delete_at_ms: Option<i64>,
}

impl DepartureState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            DepartureState::Deleted => "deleted",
            DepartureState::Deactivated => "deactivated",
            DepartureState::Waiting => "waiting",
        }
    }

    /// From the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Deleted, Self::Deactivated, Self::Waiting].into_iter().find(|state| state.as_str() == text)
    }

    /// When such a user is to be deleted by these settings; none: never.
    pub fn delete_at_ms(self, settings: &ConnectionSettings, since_ms: i64) -> Option<i64> {
        let days = match (self, settings.on_delete, settings.on_deactivate) {
            (Self::Deleted, OnDelete::DeleteAfterDays(days), _)
            | (Self::Deactivated, _, OnDeactivate::DeleteAfterDays(days)) => days,
            // "Delete at once" rules what is deleted from now on: who was kept was meant to be kept.
            _ => return None,
        };
        Some(since_ms.saturating_add(i64::from(days).saturating_mul(DAY_MS)))
    }
}

/// What is done about a user whose day has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Deleted.
    Delete,
    /// Looked at again at this time: the policy gives more days now.
    Later(i64),
    /// Kept, for good: the policy does not delete any more, or the connection is gone.
    Keep,
}

impl Departure {
    /// Decides with the settings as they are now; none: the connection was removed.
    pub fn fate(&self, settings: Option<&ConnectionSettings>, now_ms: i64) -> Fate {
        match settings.and_then(|settings| self.state.delete_at_ms(settings, self.since_ms)) {
            None => Fate::Keep,
            Some(at_ms) if at_ms <= now_ms => Fate::Delete,
            Some(at_ms) => Fate::Later(at_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_the_day_decides() {
        let of = |state, since_ms| Departure {
            connection: ConnectionId::new("c"),
            user: UserId::new("u"),
            state,
            since_ms,
            delete_at_ms: Some(since_ms),
        };
        let settings = ConnectionSettings {
            on_delete: OnDelete::DeleteAfterDays(3),
            on_deactivate: OnDeactivate::DeleteAfterDays(1),
            ..ConnectionSettings::default()
        };
        let (deleted, deactivated) = (of(DepartureState::Deleted, 5), of(DepartureState::Deactivated, 5));
        assert_eq!(deleted.fate(Some(&settings), 5 + 3 * DAY_MS), Fate::Delete);
        assert_eq!(deleted.fate(Some(&settings), 4 + 3 * DAY_MS), Fate::Later(5 + 3 * DAY_MS));
        assert_eq!(deactivated.fate(Some(&settings), 5 + DAY_MS), Fate::Delete);
        assert_eq!(deactivated.fate(None, i64::MAX), Fate::Keep, "nobody's policy asks for it any more");
        let kept = ConnectionSettings::default();
        assert_eq!(deactivated.fate(Some(&kept), i64::MAX), Fate::Keep);
        assert_eq!(deleted.fate(Some(&kept), i64::MAX), Fate::Keep);
        assert_eq!(of(DepartureState::Waiting, 5).fate(Some(&settings), i64::MAX), Fate::Keep);
        for state in [DepartureState::Deleted, DepartureState::Deactivated, DepartureState::Waiting] {
            assert_eq!(DepartureState::parse(state.as_str()), Some(state));
        }
    }
}
