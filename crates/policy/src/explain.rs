//! A decision with everything that bears on it, for simulators.

use std::collections::HashSet;

use crate::decision::{Decision, StatementId};
use crate::evaluate::{Policies, Question, evaluate};
use crate::request::Request;
use crate::statement::Effect;

/// A decision, the statements it rests on, and what the request left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'p> {
    /// What [`evaluate()`] decides.
    pub decision: Decision<'p>,
    /// Every statement that applies, with what it does; in order, each once.
    pub matched: Vec<(StatementId<'p>, Effect)>,
    /// The context keys that statements about this action and caller read but the request does not have; each once,
    /// in the first spelling met.
    pub missing: Vec<&'p str>,
}

/// Decides a request as [`evaluate()`] does and tells why. It looks at all statements, so it costs more.
pub fn explain<'p>(request: &Request<'_>, policies: &Policies<'p>) -> Explanation<'p> {
    let question = Question::new(request, policies);
    let mut matched = Vec::new();
    let (mut missing, mut seen) = (Vec::new(), HashSet::new());
    for (id, statement) in question.about() {
        for key in statement.keys() {
            if seen.insert(key.to_ascii_lowercase()) && !request.context.contains(key) {
                missing.push(key);
            }
        }
        if statement.applies(request) {
            matched.push((id, statement.effect));
        }
    }
    matched.sort_unstable();
    matched.dedup();
    Explanation {
        decision: evaluate(request, policies),
        matched,
        missing,
    }
}
