//! Which images a policy expires (`behaviour.md` section 12.2).
//!
//! An image can be expired only by the first rule that selects it: whatever an earlier rule has selected, marked or not,
//! no later rule may mark, though later rules count it. So of all that happened before an image, only one number a
//! rule is needed: how many newer images it selects.

use std::time::Duration;

use crate::time::Timestamp;

use super::{Condition, LifecyclePolicy, Rule};

const DAY: Duration = Duration::from_hours(24);

/// What a policy needs to know of an image.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a, T> {
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// All its tags.
    pub tags: &'a [T],
}

/// How many of the images seen so far each rule of a policy selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally(Vec<u32>);

/// The numbers are not those of a policy with so many rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tally has other numbers than one for each rule")]
pub struct InvalidTally;

impl Tally {
    /// Returns the numbers, one for each rule, to go on from later.
    pub fn counts(&self) -> &[u32] {
        &self.0
    }
}

impl LifecyclePolicy {
    /// Returns the tally before any image.
    pub fn tally(&self) -> Tally {
        Tally(vec![0; self.rules.len()])
    }

    /// Returns the tally that has these numbers.
    pub fn resume(&self, counts: Vec<u32>) -> Result<Tally, InvalidTally> {
        if counts.len() == self.rules.len() {
            Ok(Tally(counts))
        } else {
            Err(InvalidTally)
        }
    }

    /// Returns the rule that expires the next image at `now`, if one does, and counts the image.
    ///
    /// Images must come in order, newest first, and all of them.
    pub fn judge<T: AsRef<str>>(
        &self,
        tally: &mut Tally,
        now: Timestamp,
        image: &Facts<'_, T>,
    ) -> Option<&Rule> {
        let mut first = None;
        for (rule, newer) in self.rules.iter().zip(&mut tally.0) {
            if rule.selection.takes(image.tags) {
                first = first.or(Some((rule, *newer)));
                *newer = newer.saturating_add(1);
            }
        }
        let (rule, newer) = first?;
        let expires = match rule.condition {
            Condition::CountMoreThan(kept) => newer >= kept,
            Condition::PushedDaysAgo(days) => image.pushed_at < now.minus(DAY * days),
        };
        expires.then_some(rule)
    }
}

#[cfg(test)]
mod tests;
