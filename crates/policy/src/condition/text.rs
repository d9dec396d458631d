//! Texts that are compared whole.

use crate::pattern::Units;
use crate::template::Matcher;

/// A text that only itself matches.
#[derive(Clone, Debug)]
pub(crate) struct Exact(Box<str>);

impl Matcher for Exact {
    const WILDCARDS: bool = false;

    fn compile(units: &Units) -> Self {
        Self(units.to_text().into())
    }

    fn matches(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

/// A text that matches in any case.
#[derive(Clone, Debug)]
pub(crate) struct Folded(Box<str>);

impl Matcher for Folded {
    const WILDCARDS: bool = false;
    const CASE_SENSITIVE: bool = false;

    fn compile(units: &Units) -> Self {
        Self(units.to_text().to_lowercase().into())
    }

    fn matches(&self, text: &str) -> bool {
        *self.0 == text.to_lowercase()
    }
}
