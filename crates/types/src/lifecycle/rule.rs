//! A policy that has been read: its rules, in the order in which they are applied.

use crate::wildcard;

/// A lifecycle policy of which every rule can be applied.
///
/// Invariants: 1 to 50 rules in ascending order of priority, each priority once; at most one rule selects untagged
/// images; a rule that selects any image is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecyclePolicy {
    pub(super) rules: Vec<Rule>,
}

/// One rule: it expires those images of its selection that its condition is true of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// At least 1; the lowest is applied first.
    pub priority: u32,
    /// Which images it is about.
    pub selection: Selection,
    /// Which of those it expires.
    pub condition: Condition,
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

/// Which images of its selection a rule expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All but so many of those pushed last.
    CountMoreThan(u32),
    /// Those pushed more than so many days ago.
    PushedDaysAgo(u32),
}

impl LifecyclePolicy {
    /// Returns the rules in ascending order of priority.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the first rule that selects an image with these tags: the only one that may expire it.
    pub fn identify<T: AsRef<str>>(&self, tags: &[T]) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.selection.takes(tags))
    }
}

impl Selection {
    /// Whether it takes an image with these tags.
    pub fn takes<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        let some = |matches: &dyn Fn(&str) -> bool| tags.iter().any(|tag| matches(tag.as_ref()));
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Patterns(patterns) => patterns
                .iter()
                .all(|pattern| some(&|tag| wildcard::matches(pattern, tag))),
            Self::Prefixes(prefixes) => prefixes
                .iter()
                .all(|prefix| some(&|tag| tag.starts_with(prefix.as_str()))),
        }
    }
}
