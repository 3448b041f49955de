//! A change of a group's members that costs as much as it changes, not as much as the group holds.

use crate::state::Id;
use std::collections::BTreeSet;

/// Additions to and removals from a member set that is itself left alone until the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEdit {
    /// Whether every member of the base goes, unless added again.
    cleared: bool,
    /// Not in the base, unless `cleared`.
    added: BTreeSet<Id>,
    /// In the base.
    removed: BTreeSet<Id>,
}

impl MemberEdit {
    /// An edit that replaces all members by these.
    pub fn replace(members: BTreeSet<Id>) -> Self {
        Self { cleared: true, added: members, removed: BTreeSet::new() }
    }

    /// Whether the id is a member after the edit.
    pub fn contains(&self, base: &BTreeSet<Id>, id: &str) -> bool {
        self.added.contains(id) || (!self.cleared && base.contains(id) && !self.removed.contains(id))
    }

    /// Adds a member; adding one twice changes nothing.
    pub fn add(&mut self, base: &BTreeSet<Id>, id: Id) {
        self.removed.remove(&id);
        if self.cleared || !base.contains(&id) {
            self.added.insert(id);
        }
    }

    /// Removes a member; removing one that is absent changes nothing.
    pub fn remove(&mut self, base: &BTreeSet<Id>, id: &str) {
        self.added.remove(id);
        if !self.cleared
            && let Some(id) = base.get(id)
        {
            self.removed.insert(id.clone());
        }
    }

    /// Removes every member.
    pub fn clear(&mut self) {
        *self = Self::replace(BTreeSet::new());
    }

    /// The ids that the edit adds, those that were members already included where it replaces all.
    pub fn added(&self) -> impl Iterator<Item = &Id> {
        self.added.iter()
    }

    /// The ids to insert and to delete so that `base` becomes the edited set.
    pub fn difference(self, base: &BTreeSet<Id>) -> (Vec<Id>, Vec<Id>) {
        if self.cleared {
            let gone = base.difference(&self.added).cloned().collect();
            (self.added.into_iter().filter(|id| !base.contains(id)).collect(), gone)
        } else {
            (self.added.into_iter().collect(), self.removed.into_iter().collect())
        }
    }

    /// The members after the edit; for tests and rare filters, as it copies them all.
    pub fn result(&self, base: &BTreeSet<Id>) -> BTreeSet<Id> {
        let kept = base.iter().filter(|id| !self.cleared && !self.removed.contains(*id));
        kept.chain(self.added.iter()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn any_sequence_of_edits_equals_the_same_on_a_plain_set() {
        let mut random = Random::new(3);
        for _ in 0..300 {
            let base: BTreeSet<Id> = (0..random.below(6)).map(|_| id(&mut random)).collect();
            let (mut edit, mut model) = (MemberEdit::default(), base.clone());
            for _ in 0..random.below(8) {
                let who = id(&mut random);
                match random.below(8) {
                    0 => {
                        edit.clear();
                        model.clear();
                    }
                    1..=4 => {
                        edit.add(&base, who.clone());
                        model.insert(who.clone());
                    }
                    _ => {
                        edit.remove(&base, &who);
                        model.remove(&who);
                    }
                }
                assert_eq!(edit.contains(&base, &who), model.contains(&who));
            }
            assert_eq!(edit.result(&base), model);
            let (added, gone) = edit.difference(&base);
            let mut applied = base.clone();
            assert!(gone.iter().all(|id| applied.remove(id)), "only members are removed");
            assert!(added.into_iter().all(|id| applied.insert(id)), "only strangers are added");
            assert_eq!(applied, model);
        }
    }

    fn id(random: &mut Random) -> Id {
        Id::from(format!("u-{}", random.below(6)))
    }
}
