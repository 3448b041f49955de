//! Seats of a tenant: how full it is, and at which marks somebody must know.

/// Percentages of the limit at which a warning is due, the higher one first.
pub const WARN_AT: [i64; 2] = [90, 80];

/// The limit of a tenant and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatUse {
    /// The limit on active users.
    pub limit: i64,
    /// Active users; more than the limit if it was set below them.
    pub used: i64,
}

impl SeatUse {
    /// How much of the limit is used, rounded down. All of a limit of nothing is used.
    pub fn percent(self) -> i64 {
        if self.limit <= 0 { 100 } else { self.used.saturating_mul(100) / self.limit }
    }

    /// The highest mark that is reached; none below all of them.
    pub fn warns_at(self) -> Option<i64> {
        WARN_AT.into_iter().find(|mark| self.percent() >= *mark)
    }

    /// Whether somebody can still become active.
    pub fn has_free(self) -> bool {
        self.used < self.limit
    }

    /// How the same tenant stands with another number of active users.
    #[must_use]
    pub fn after(self, change: i64) -> Self {
        Self { used: self.used + change, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_due_at_80_and_90_percent() {
        let warns = |limit, used| SeatUse { limit, used }.warns_at();
        assert_eq!(
            [7, 8, 9, 10, 12].map(|used| warns(10, used)),
            [None, Some(80), Some(90), Some(90), Some(90)]
        );
        assert_eq!((warns(1_000, 799), warns(1_000, 899)), (None, Some(80)));
        assert_eq!((warns(0, 0), warns(3, 2), warns(i64::MAX, 1)), (Some(90), None, None));
        assert!(
            !SeatUse { limit: 0, used: 0 }.has_free() && SeatUse { limit: 1, used: 1 }.after(-1).has_free()
        );
    }
}
