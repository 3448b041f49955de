//! Which input took longest, on a machine that does other things as well.

/// How often an input that would be the slowest is measured again.
const REPEATS: usize = 7;

/// The slowest input so far.
#[derive(Clone, Debug, Default)]
pub struct Slowest {
    /// How long it took.
    pub nanos: u64,
    /// What it was.
    pub input: Vec<u8>,
}

impl Slowest {
    /// Runs a target and notes the input if it is the slowest; whether it is. `clock` gives nanoseconds since any moment.
    ///
    /// Somebody else may have had the processor meanwhile, so what would be a record is run again and the shortest time
    /// counts: targets do the same work each time.
    pub fn measure(&mut self, clock: &dyn Fn() -> u64, input: &[u8], run: fn(&[u8])) -> bool {
        let mut took = u64::MAX;
        for _ in 0..=REPEATS {
            let started = clock();
            run(input);
            took = took.min(clock().saturating_sub(started));
            if took <= self.nanos {
                return false;
            }
        }
        *self = Self { nanos: took, input: input.to_vec() };
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_hiccup_is_no_record_and_slow_work_is() {
        let (now, calls) = (Cell::new(0), Cell::new(0));
        // Every second reading is the end of a run; the first run is disturbed.
        let clock = |usual: u64| {
            let (now, calls) = (&now, &calls);
            move || {
                calls.set(calls.get() + 1);
                now.set(now.get() + if calls.get() == 2 { 1_000 } else { usual });
                now.get()
            }
        };
        let mut slowest = Slowest { nanos: 50, input: vec![] };
        assert!(!slowest.measure(&clock(10), b"hiccup", |_| ()));
        assert_eq!(slowest.nanos, 50);
        assert!(slowest.measure(&clock(90), b"slow", |_| ()));
        assert_eq!((slowest.nanos, slowest.input.as_slice()), (90, b"slow".as_slice()));
    }
}
