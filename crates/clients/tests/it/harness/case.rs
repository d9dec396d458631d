//! A client, and the cases that drive it.

use anyhow::Result;

use super::scene::Scene;

/// One client with its cases.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) version: fn(&Scene<'_>) -> Result<String>,
    pub(crate) cases: Cases,
}

/// How the cases of a client are run.
pub(crate) enum Cases {
    /// One function per case.
    Functions(&'static [Case]),
    /// A program that runs its own cases and prints a line for each.
    Program(fn(&Scene<'_>) -> Result<Vec<Outcome>>),
}

/// One fact about a client, with the function that shows it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Scene<'_>) -> Result<()>,
}

impl Case {
    pub(crate) const fn new(name: &'static str, run: fn(&Scene<'_>) -> Result<()>) -> Self {
        Self { name, run }
    }
}

/// How one case went; a failure carries its reason.
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) failure: Option<String>,
}
