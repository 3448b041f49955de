//! Grammars as data: rules whose alternatives name other rules, so that most inputs get past the first check.

use std::collections::BTreeSet;

use crate::random::Random;

/// Bytes after which no further rule is opened.
const LENGTH_MAX: usize = 8 * 1024;
/// Nesting after which a rule ends with its last alternative.
const DEPTH_MAX: usize = 12;

/// Rules: a name and alternatives. `<name>` in an alternative stands for that rule; other text stands for itself. The
/// first rule is the start; the last alternative of a rule leads to an end.
#[derive(Clone, Copy, Debug)]
pub struct Grammar(pub &'static [(&'static str, &'static [&'static str])]);

impl Grammar {
    /// One sentence.
    pub fn sentence(&self, random: &mut Random) -> Vec<u8> {
        let mut text = String::new();
        if let Some((_, alternatives)) = self.0.first() {
            self.expand(alternatives, 0, random, &mut text);
        }
        text.into_bytes()
    }

    /// The pieces of text that stand for themselves: a dictionary.
    pub fn tokens(&self) -> Vec<&'static str> {
        let mut tokens = BTreeSet::new();
        for alternative in self.0.iter().flat_map(|(_, alternatives)| alternatives.iter()) {
            let mut rest = *alternative;
            while let Some((before, _, after)) = self.next_rule(rest) {
                tokens.insert(before);
                rest = after;
            }
            tokens.insert(rest);
        }
        tokens.into_iter().filter(|token| !token.is_empty()).collect()
    }

    fn expand(&self, alternatives: &[&'static str], depth: usize, random: &mut Random, text: &mut String) {
        let chosen = if depth > DEPTH_MAX || text.len() > LENGTH_MAX {
            alternatives.last()
        } else {
            random.pick(alternatives)
        };
        let Some(mut rest) = chosen.copied() else { return };
        while let Some((before, inner, after)) = self.next_rule(rest) {
            text.push_str(before);
            self.expand(inner, depth + 1, random, text);
            rest = after;
        }
        text.push_str(rest);
    }

    /// What stands before the first rule named in a text, its alternatives, and what stands after it.
    fn next_rule(&self, text: &'static str) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        text.match_indices('<').find_map(|(open, _)| {
            let (name, after) = text[open + 1..].split_once('>')?;
            let (_, alternatives) = self.0.iter().find(|(rule, _)| *rule == name)?;
            Some((&text[..open], *alternatives, after))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMS: Grammar = Grammar(&[("sum", &["(<sum>+<sum>)", "<digit>"]), ("digit", &["1", "<2>"])]);

    #[test]
    fn sentences_follow_the_rules_and_end() {
        let mut random = Random::new(1);
        for _ in 0..1_000 {
            let text = String::from_utf8(SUMS.sentence(&mut random)).unwrap();
            assert!(text.len() < 4 * LENGTH_MAX);
            assert_eq!(text.matches('(').count(), text.matches('+').count(), "{text}");
            assert!(!text.contains("<sum>") && !text.contains("<digit>"), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_text() {
        assert_eq!(SUMS.tokens(), ["(", ")", "+", "1", "<2>"]);
    }
}
