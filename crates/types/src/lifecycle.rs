//! Lifecycle policies: which images of a repository are no longer wanted, or not at hand (`behaviour.md` section 12).
//!
//! A text becomes a [`LifecyclePolicy`] once. It then looks at the images of a repository one after the other, newest
//! first, and says of each which rule acts on it; all it remembers between two images is a [`Tally`].

mod document;
mod evaluate;
mod rule;
mod schema;

pub use self::evaluate::{Facts, InvalidTally, Tally};
pub use self::rule::{Action, Class, Condition, LifecyclePolicy, Rule, Selection};

/// Why a text is no policy that can be applied, in ECR's words where they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Lifecycle policy validation failure: {0}")]
pub struct InvalidLifecyclePolicy(String);

impl InvalidLifecyclePolicy {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
