//! Why somebody who is known may not do something.

use std::fmt;

/// A refusal: what the caller is told, and what it may show to whoever is allowed to decode it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    text: String,
    encoded: Option<String>,
}

impl Denial {
    /// Makes a refusal that there is no more to say about.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            encoded: None,
        }
    }

    /// Adds the decision, sealed for `DecodeAuthorizationMessage`.
    #[must_use]
    pub fn with_encoded(self, encoded: Option<String>) -> Self {
        Self { encoded, ..self }
    }

    /// The decision, sealed; only a decision by policies has one.
    pub fn encoded(&self) -> Option<&str> {
        self.encoded.as_deref()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
