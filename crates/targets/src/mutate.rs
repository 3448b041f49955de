//! Inputs without a coverage-guided fuzzer: sentences of a grammar, and seeds changed a little.

use crate::grammar::Grammar;
use crate::random::Random;

/// The longest ordinary input, in bytes.
const LENGTH_MAX: usize = 8 * 1024;
/// The longest bomb, in bytes.
const BOMB_MAX: usize = 64 * 1024;

/// Makes inputs for one target. The seed decides them all.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    grammar: Grammar,
    tokens: Vec<&'static str>,
    random: Random,
}

impl<'a> Mutator<'a> {
    /// Starts from seeds and a grammar.
    pub fn new(corpus: &'a [Vec<u8>], grammar: Grammar, seed: u64) -> Self {
        Self { corpus, grammar, tokens: grammar.tokens(), random: Random::new(seed) }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        if self.random.one_in(512) {
            return self.bomb();
        }
        let mut input = self.start();
        if !self.random.one_in(4) {
            for _ in 0..=self.random.below(6) {
                self.change(&mut input);
            }
            input.truncate(LENGTH_MAX);
        }
        input
    }

    fn start(&mut self) -> Vec<u8> {
        if self.random.one_in(2)
            && let Some(seed) = self.random.pick(self.corpus)
        {
            return seed.clone();
        }
        self.grammar.sentence(&mut self.random)
    }

    /// The same few bytes over and over, before or inside something that is well formed.
    fn bomb(&mut self) -> Vec<u8> {
        let mut input = self.start();
        let unit = self.token();
        let times = self.random.below(BOMB_MAX / unit.len().max(1));
        let at = self.random.below(input.len() + 1);
        input.splice(at..at, unit.repeat(times));
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let until = (at + self.random.below(16)).min(input.len());
        let byte = self.random.number().to_le_bytes()[0];
        match self.random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << (byte % 8),
            1 if at < input.len() => input[at] = byte,
            2 => drop(input.drain(at..until)),
            3 => {
                let copy = input[at..until].to_vec();
                let to = self.random.below(input.len() + 1);
                input.splice(to..to, copy);
            }
            4 => {
                let other = self.start();
                let from = self.random.below(other.len() + 1);
                input.splice(at..at, other[from..].iter().copied());
            }
            5 => {
                let copies = input[at..until].repeat(self.random.below(40));
                input.splice(at..at, copies);
            }
            6 => input.truncate(at),
            _ => {
                let token = self.token();
                let end = if self.random.one_in(2) { at } else { until };
                input.splice(at..end, token);
            }
        }
    }

    fn token(&mut self) -> Vec<u8> {
        const TELLING: &[&str] = &[
            "\0",
            "\"",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "[{",
            "{\"a\":",
            ",",
            ":",
            ".",
            "..",
            "\u{feff}",
            "é",
            "ß",
            "İ",
            "ς",
            "\u{1f600}",
            "\u{301}",
            "\r\n",
            "-",
            "0",
            "-0",
            "1e308",
            "9223372036854775808",
            "18446744073709551615",
            "null",
            "true",
            "%2e",
        ];
        let from = if self.random.one_in(3) { TELLING } else { &self.tokens };
        let token = self.random.pick(from).copied().unwrap_or("\0");
        token.as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_input_and_inputs_differ() {
        let corpus = [b"userName eq \"x\"".to_vec()];
        let grammar = Grammar(&[("start", &["<word> pr"]), ("word", &["a", "b"])]);
        let inputs = |seed| {
            let mut mutator = Mutator::new(&corpus, grammar, seed);
            (0..2_000).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let distinct: std::collections::BTreeSet<_> = inputs(1).into_iter().collect();
        assert!(distinct.len() > 1_000, "{}", distinct.len());
        assert!(distinct.iter().any(|input| input.len() > LENGTH_MAX), "there are bombs");
        assert!(distinct.contains(b"a pr".as_slice()), "and whole sentences");
    }
}
