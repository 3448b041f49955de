//! Seeded randomness: independent streams, so that one part of the world does not shift the luck of another.

use simapp::Random;

/// One stream of random numbers.
pub(crate) struct Dice(Random);

impl Dice {
    /// The stream of this name under this seed.
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        let mixed = stream.bytes().fold(seed ^ 0x5851_F42D_4C95_7F2D, |mix, byte| {
            (mix ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self(Random::new(mixed))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An index below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap_or(0)
    }

    /// A number of this range, both ends included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True this often in a thousand.
    pub(crate) fn per_mille(&mut self, chance: u64) -> bool {
        self.0.below(1_000) < chance
    }

    /// One of these, if there is one.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}
