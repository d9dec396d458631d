//! The one pipeline: an operation says what it needs, the caller's quotas allow one more, the authorizer
//! grants it, the operation runs.

use crate::{
    authz::{self, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
};

/// One thing a client can ask for. API operations are their wire input; `/v2` operations carry parsed values.
pub trait Operation: Sized + Send {
    /// What it answers.
    type Output: Send;

    /// The actions and resources that the caller must be allowed; fails when the input is not valid.
    fn needs(&self, scope: &Scope) -> Result<Needs>;

    /// Does it. Only [`execute`] has the permit to call this.
    fn run(
        self,
        cx: &Cx<'_>,
        permit: Permit<Self>,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// Counts, authorizes and runs `operation`.
pub async fn execute<O: Operation>(cx: &Cx<'_>, operation: O) -> Result<O::Output> {
    let needs = operation.needs(&cx.scope)?;
    cx.core.rates.count(cx, &needs)?;
    let permit = authz::authorize(cx, needs).await?;
    operation.run(cx, permit).await
}
