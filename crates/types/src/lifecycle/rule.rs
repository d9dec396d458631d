//! A policy that has been read: its rules, in the order in which they are applied.

use std::time::Duration;

use crate::wildcard;

/// A lifecycle policy of which every rule can be applied.
///
/// Invariants: 1 to 50 rules in ascending order of priority, each priority once; of each storage class, at most one rule
/// selects untagged images, and a rule that selects any image is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecyclePolicy {
    pub(super) rules: Vec<Rule>,
    pub(super) undo: Option<Duration>,
}

/// One rule: it acts on those images of its selection that its condition is true of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// At least 1; the lowest is applied first.
    pub priority: u32,
    /// In which storage class its images are.
    pub class: Class,
    /// Which images it is about, by their tags.
    pub selection: Selection,
    /// Patterns; an image with a tag that matches any of them is not selected. ECR has none.
    pub excluded: Vec<String>,
    /// Which of those it acts on.
    pub condition: Condition,
    /// What it does.
    pub action: Action,
}

/// A storage class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Images that can be pulled.
    Standard,
    /// Images that are archived.
    Archive,
}

/// Which images a rule is about, by their tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All images.
    Any,
    /// Images without a tag.
    Untagged,
    /// Images of which, for each pattern, some tag matches it; `*` stands for any characters.
    Patterns(Vec<String>),
    /// Images of which, for each prefix, some tag begins with it.
    Prefixes(Vec<String>),
}

/// Which images of its selection a rule acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All but so many of those pushed last.
    CountMoreThan(u32),
    /// Those pushed more than so many days ago.
    PushedDaysAgo(u32),
    /// Those neither pulled nor pushed for so many days.
    PulledDaysAgo(u32),
    /// Those archived more than so many days ago.
    ArchivedDaysAgo(u32),
}

/// What a rule does to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is deleted.
    Expire,
    /// It is archived.
    Transition,
    /// It loses the tags by which it was selected. ECR has no such rules.
    Untag,
}

impl LifecyclePolicy {
    /// Returns the rules in ascending order of priority.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns for how long what it expires can be brought back, if it can. ECR has no such policies.
    pub fn undo(&self) -> Option<Duration> {
        self.undo
    }

    /// Returns the first rule that selects an image with these tags: the only one that may act on it.
    pub fn identify<T: AsRef<str>>(&self, class: Class, tags: &[T]) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.takes(class, tags))
    }

    /// How many patterns and prefixes a tag may have to be held against, at least 1.
    pub fn n_patterns(&self) -> usize {
        let n_patterns = |rule: &Rule| rule.selection.list().len() + rule.excluded.len();
        self.rules.iter().map(n_patterns).sum::<usize>().max(1)
    }
}

impl Rule {
    /// Whether it selects an image of a class with these tags.
    pub fn takes<T: AsRef<str>>(&self, class: Class, tags: &[T]) -> bool {
        self.class == class && self.selection.takes(tags) && !self.excludes(tags)
    }

    fn excludes<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        let mut patterns = self.excluded.iter();
        patterns.any(|pattern| {
            let mut tags = tags.iter();
            tags.any(|tag| wildcard::matches(pattern, tag.as_ref()))
        })
    }
}

impl Selection {
    /// Whether it takes an image with these tags.
    pub fn takes<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Patterns(_) | Self::Prefixes(_) => {
                let some = |one| tags.iter().any(|tag| self.matches(one, tag.as_ref()));
                self.list().iter().all(|one| some(one))
            }
        }
    }

    /// Whether a tag is one of those by which it takes images.
    pub fn names(&self, tag: &str) -> bool {
        self.list().iter().any(|one| self.matches(one, tag))
    }

    fn list(&self) -> &[String] {
        match self {
            Self::Any | Self::Untagged => &[],
            Self::Patterns(list) | Self::Prefixes(list) => list,
        }
    }

    fn matches(&self, one: &str, tag: &str) -> bool {
        match self {
            Self::Prefixes(_) => tag.starts_with(one),
            _ => wildcard::matches(one, tag),
        }
    }
}
