//! Which images a policy acts on (`behaviour.md` section 12.2).
//!
//! An image can be acted on only by the first rule that selects it: whatever an earlier rule has selected, marked or not,
//! no later rule may mark, though later rules count it. So of all that happened before an image, only one number a
//! rule is needed: how many newer images it selects.

use std::time::Duration;

use crate::time::Timestamp;

use super::{Class, Condition, LifecyclePolicy, Rule};

const DAY: Duration = Duration::from_hours(24);

/// What a policy needs to know of an image.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a, T> {
    /// Its storage class.
    pub class: Class,
    /// When it was last pushed, or restored after that: the order of images.
    pub pushed_at: Timestamp,
    /// When it was last pulled, or pushed or restored after that.
    pub used_at: Timestamp,
    /// When it was archived, if it ever was.
    pub archived_at: Option<Timestamp>,
    /// All its tags.
    pub tags: &'a [T],
}

impl<'a, T> Facts<'a, T> {
    /// An image that was pushed, and nothing else.
    pub fn pushed(pushed_at: Timestamp, tags: &'a [T]) -> Self {
        Self {
            class: Class::Standard,
            pushed_at,
            used_at: pushed_at,
            archived_at: None,
            tags,
        }
    }
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

    /// Returns the rule that acts on the next image at `now`, if one does, and counts the image.
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
            if rule.takes(image.class, image.tags) {
                first = first.or(Some((rule, *newer)));
                *newer = newer.saturating_add(1);
            }
        }
        let (rule, newer) = first?;
        let is_due = match rule.condition {
            Condition::CountMoreThan(kept) => newer >= kept,
            condition => condition.is_past(now, image),
        };
        is_due.then_some(rule)
    }

    /// Returns the rule that may act on an image at `now`, as far as the image alone tells.
    pub fn may_act<T: AsRef<str>>(&self, now: Timestamp, image: &Facts<'_, T>) -> Option<&Rule> {
        let rule = self.identify(image.class, image.tags)?;
        rule.condition.is_past(now, image).then_some(rule)
    }
}

impl Condition {
    /// Whether as many days are past as it asks for, if it asks for days.
    fn is_past<T>(self, now: Timestamp, image: &Facts<'_, T>) -> bool {
        let (since, days) = match self {
            Self::CountMoreThan(_) => return true,
            Self::PushedDaysAgo(days) => (Some(image.pushed_at), days),
            Self::PulledDaysAgo(days) => (Some(image.used_at), days),
            Self::ArchivedDaysAgo(days) => (image.archived_at, days),
        };
        since.is_some_and(|since| since < now.minus(DAY * days))
    }
}

#[cfg(test)]
mod tests;
