//! The one pipeline: an operation says what it needs, the caller's quotas allow one more, the authorizer
//! grants it, the operation runs.

use crate::{
    authz::{self, Needs, Permit},
    creation,
    cx::{Cx, Scope},
    error::{Error, Result},
    oci,
};

/// One thing a client can ask for. API operations are their wire input; `/v2` operations carry parsed values.
pub trait Operation: Sized + Send {
    /// What it answers.
    type Output: Send;

    /// The actions and resources that the caller must be allowed; fails when the input is not valid.
    fn needs(&self, scope: &Scope) -> Result<Needs>;

    /// The repository that it makes if there is none and a creation template says so: what is pushed to over `/v2`.
    fn makes(&self) -> Option<oci::Repository> {
        None
    }

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
    let permit = match authz::authorize(cx, needs).await {
        Err(missing @ Error::RepositoryNotFound { .. }) => {
            let (new, needs) = (operation.makes(), operation.needs(&cx.scope)?);
            made(cx, new, needs, missing).await?
        }
        decided => decided?,
    };
    operation.run(cx, permit).await
}

/// Fails when the caller may not have `operation` run: asked before what it needs is there, such as a large body. It proves
/// nothing that [`execute`] would not ask again. What is missing may yet be made.
pub async fn allow<O: Operation>(cx: &Cx<'_>, operation: &O) -> Result<()> {
    let needs = operation.needs(&cx.scope)?;
    match authz::authorize::<O>(cx, needs).await {
        Ok(_) | Err(Error::RepositoryNotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the repository that is missing, where a template says so, and authorizes again.
async fn made<O>(
    cx: &Cx<'_>,
    new: Option<oci::Repository>,
    needs: Needs,
    missing: Error,
) -> Result<Permit<O>> {
    let Some(new) = new else {
        return Err(missing);
    };
    if !creation::by_push(cx, new.registry, &new.name).await? {
        return Err(missing);
    }
    authz::authorize(cx, needs).await
}
