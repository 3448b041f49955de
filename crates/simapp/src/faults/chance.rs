//! How often a fault strikes: always, with a probability, or at the n-th chance.

use super::number;
use crate::random::Random;

#[derive(Clone, Debug)]
pub(super) enum Chance {
    Always,
    Probability(f64),
    /// Strikes once, when the count of chances reaches the number.
    Nth {
        wanted: u64,
        seen: u64,
    },
}

impl Chance {
    /// `""` always, `0.05` with that probability, `#3` at the third chance.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Always);
        }
        if let Some(nth) = text.strip_prefix('#') {
            let wanted = number(nth)?;
            return if wanted > 0 {
                Ok(Self::Nth { wanted, seen: 0 })
            } else {
                Err("#N is at least 1".to_owned())
            };
        }
        let probability: f64 = number(text)?;
        if (0.0..=1.0).contains(&probability) {
            Ok(Self::Probability(probability))
        } else {
            Err("a probability lies between 0 and 1".to_owned())
        }
    }

    pub(super) fn strikes(&mut self, random: &mut Random) -> bool {
        match self {
            Self::Always => true,
            Self::Probability(probability) => random.chance(*probability),
            Self::Nth { wanted, seen } => {
                *seen += 1;
                seen == wanted
            }
        }
    }
}
