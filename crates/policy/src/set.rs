//! Several policies that count as one, with an index of their actions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::element::ActionMatcher;
use crate::pattern::Glob;
use crate::policy::Policy;
use crate::statement::{Effect, Statement};

/// The policies of a user with its groups, of a role, a boundary, or a session: what one allows all allow, unless
/// one denies it.
///
/// Finding the statements about an action costs by how many name it or a pattern of its service, not by how many
/// there are.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: Box<[(Box<str>, Arc<Policy>)]>,
    allow: Index,
    deny: Index,
}

/// Where the statements of one effect are that may be about an action.
#[derive(Clone, Debug, Default)]
struct Index {
    /// By the action in lower case.
    exact: HashMap<Box<str>, Vec<Place>>,
    /// By the service of a pattern with wildcards.
    globs: HashMap<Box<str>, Vec<(Glob, Place)>>,
    /// `*`, and the statements with `NotAction`.
    others: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    policy: usize,
    statement: usize,
}

impl PolicySet {
    /// Makes a set of policies, each with the name by which a decision speaks of it: an ARN, or an inline name.
    pub fn new(policies: impl IntoIterator<Item = (Box<str>, Arc<Policy>)>) -> Self {
        let mut set = Self {
            policies: policies.into_iter().collect(),
            ..Self::default()
        };
        for (policy, (_, document)) in set.policies.iter().enumerate() {
            for (statement, compiled) in document.statements().iter().enumerate() {
                let index = match compiled.effect {
                    Effect::Allow => &mut set.allow,
                    Effect::Deny => &mut set.deny,
                };
                index.add(compiled, Place { policy, statement });
            }
        }
        set
    }

    /// Whether there is no policy in it.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The policies with their names.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Arc<Policy>)> {
        self.policies.iter().map(|(name, policy)| (&**name, policy))
    }

    /// The context keys that conditions and variables read, each once in each spelling.
    pub fn context_keys(&self) -> BTreeSet<&str> {
        self.policies()
            .flat_map(|(_, policy)| policy.context_keys())
            .collect()
    }

    /// The statements of `effect` about `action`, which is in lower case. One may come twice.
    pub(crate) fn about(
        &self,
        effect: Effect,
        action: &str,
    ) -> impl Iterator<Item = (&str, usize, &Statement)> {
        let index = match effect {
            Effect::Allow => &self.allow,
            Effect::Deny => &self.deny,
        };
        index.about(action).filter_map(move |place| {
            let (name, policy) = self.policies.get(place.policy)?;
            let statement = policy.statements().get(place.statement)?;
            // The index has every `NotAction`; what it excepts is for the statement to say.
            let about = !statement.actions.negated || statement.actions.contain(action);
            about.then_some((&**name, place.statement, statement))
        })
    }
}

impl Index {
    fn add(&mut self, statement: &Statement, place: Place) {
        if statement.actions.negated {
            self.others.push(place);
            return;
        }
        for pattern in &statement.actions.patterns {
            match &pattern.matcher {
                ActionMatcher::Every => self.others.push(place),
                ActionMatcher::Exact => {
                    self.exact
                        .entry(pattern.text.clone())
                        .or_default()
                        .push(place);
                }
                ActionMatcher::Glob(glob) => {
                    let service = service_of(&pattern.text).into();
                    let globs = self.globs.entry(service).or_default();
                    globs.push((glob.clone(), place));
                }
            }
        }
    }

    fn about(&self, action: &str) -> impl Iterator<Item = Place> {
        let exact = self.exact.get(action).into_iter().flatten();
        let globs = self.globs.get(service_of(action)).into_iter().flatten();
        let globs = globs.filter(move |(glob, _)| glob.matches(action));
        exact
            .chain(&self.others)
            .copied()
            .chain(globs.map(|(_, place)| *place))
    }
}

/// What stands before the colon.
fn service_of(action: &str) -> &str {
    action
        .split_once(':')
        .map_or(action, |(service, _)| service)
}
