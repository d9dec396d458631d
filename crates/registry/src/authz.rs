//! The one authorizer. Nothing else makes a [`Permit`].
//!
//! A decision is made from cached rows and holds for their versions; the statement or transaction that uses
//! the permit proves the versions (`Grant::assert`, `table::guarded`), so the cache stores and the row decides.
//!
//! The way of a request: `need.rs` says what an operation needs, `place.rs` finds what that is, `context.rs` and
//! `decide.rs` put it before the policies, `grant.rs` is the proof.

use std::{marker::PhantomData, sync::Arc};

use longshore_types::{
    account::{AccountId, Registry},
    name::RepositoryName,
};

pub use self::{
    action::{Action, Ecr, EcrPublic, Iam, Longshore, Organizations, PublicRead, Sts},
    grant::{Grant, Permit},
    need::{Need, Needs, Renamed, RequestKeys, Resource},
};
use self::{
    decide::{decide, is_beyond_nobody},
    place::{Freshness, Place},
};
pub(crate) use self::{
    place::public_arn_of,
    service::assume_for_service,
    web_identity::{WebIdentity, authorize_web_identity, denied as web_identity_denied},
};
use crate::{
    cx::Cx,
    error::{Error, Result},
    principal::Caller,
    table::{guard, target::PolicyRow},
    usage,
};

mod action;
mod context;
mod decide;
mod grant;
mod identity;
pub(crate) mod message;
mod need;
mod place;
mod service;
mod web_identity;

/// Decides all of `needs` for the caller of `cx`.
pub(crate) async fn authorize<O>(cx: &Cx<'_>, needs: Needs) -> Result<Permit<O>> {
    let keys = Arc::new(needs.keys);
    let with_keys = |need| Need {
        keys: keys.clone(),
        ..need
    };
    let required: Vec<Need> = needs.required.into_iter().map(with_keys).collect();
    if let Some(need) = required.first() {
        usage::record(cx, need.action);
    }
    let beside = required.get(1..).unwrap_or_default().into();
    let mut grants = granted(cx, &required).await?.into_iter();
    let optional = match needs.optional {
        Some(need) => allowed(cx, with_keys(need)).await,
        None => None,
    };
    let first = grants
        .next()
        .ok_or_else(|| Error::internal("an operation that needs nothing"))?;
    Ok(Permit {
        first: first.with_beside(beside),
        rest: grants.collect(),
        optional,
        operation: PhantomData,
    })
}

/// Decides one more need of a running operation, such as a source to mount from; `None` when it is denied.
pub(crate) async fn allowed(cx: &Cx<'_>, need: Need) -> Option<Grant> {
    granted(cx, &[need]).await.ok()?.pop()
}

/// Whether the caller could do what `grant` is for again if the repository had this policy.
pub(crate) async fn allowed_under(cx: &Cx<'_>, grant: &Grant, policy: &PolicyRow) -> Result<bool> {
    let need = &grant.need;
    let mut place = Place::find(cx, &cx.caller, &need.resource, Freshness::Cached).await?;
    place.give_policy(policy)?;
    match decide(cx, &cx.caller, need, need.action, &place) {
        Err(Error::AccessDenied(_) | Error::AuthenticationRequired) => Ok(false),
        decided => decided.map(|()| true),
    }
}

/// Decides `stale`, and what is needed beside it, again from rows read now.
pub(crate) async fn again(cx: &Cx<'_>, stale: &Grant) -> Result<Grant> {
    let caller = refreshed(cx).await?;
    let mut needs = vec![stale.need.clone()];
    needs.extend_from_slice(&stale.beside);
    let fresh = settled(cx, &caller, &needs, Freshness::Read).await?;
    let fresh = fresh
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("a need without a grant"))?
        .with_beside(stale.beside.clone());
    match (&stale.repository, &fresh.repository) {
        // Whatever was begun in the old incarnation must not reach the new one.
        (Some(old), Some(new)) if old.incarnation != new.incarnation => {
            Err(not_found(&new.name, &new.registry))
        }
        _ => Ok(fresh),
    }
}

async fn refreshed(cx: &Cx<'_>) -> Result<Caller> {
    let principals = &cx.core.principals;
    principals
        .refresh(&cx.core.meta, &cx.core.keys, &cx.caller)
        .await
}

/// Decides from what is remembered. Nobody proves a refusal later, so it is proven here before it is one.
async fn granted(cx: &Cx<'_>, needs: &[Need]) -> Result<Vec<Grant>> {
    match settled(cx, &cx.caller, needs, Freshness::Cached).await {
        Err(Error::Stale) => {
            let caller = refreshed(cx).await?;
            settled(cx, &caller, needs, Freshness::Read).await
        }
        settled => settled,
    }
}

/// Decides all of `needs`, and only then tells which repository is not there: who may not do all of it learns nothing.
async fn settled(
    cx: &Cx<'_>,
    caller: &Caller,
    needs: &[Need],
    freshness: Freshness,
) -> Result<Vec<Grant>> {
    let mut grants = Vec::with_capacity(needs.len());
    let mut missing = None;
    if needs.iter().any(|need| is_beyond_nobody(caller, need)) {
        return Err(Error::AuthenticationRequired);
    }
    for need in needs {
        let place = Place::find(cx, caller, &need.resource, freshness).await?;
        let decision = decide_either(cx, caller, need, &place);
        let current = match (&decision, freshness) {
            (Ok(()), _) if !is_missing(need, &place) => true,
            (_, Freshness::Read) => true,
            (_, Freshness::Cached) => is_current(cx, caller, &place).await?,
        };
        if !current {
            return Err(Error::Stale);
        }
        decision?;
        if is_missing(need, &place) {
            missing = missing.or(Some(need));
        } else {
            grants.push(Grant::of(caller, need.clone(), &place)?);
        }
    }
    match missing.map(|need| &need.resource) {
        Some(Resource::Repository(registry, name)) => Err(not_found(name, registry)),
        _ => Ok(grants),
    }
}

/// Decides the action, or else the one that is as good; the refusal is the first one's.
fn decide_either(cx: &Cx<'_>, caller: &Caller, need: &Need, place: &Place) -> Result<()> {
    let refused = match decide(cx, caller, need, need.action, place) {
        Err(error @ (Error::AccessDenied(_) | Error::AuthenticationRequired)) => error,
        decided => return decided,
    };
    match need.alternative {
        Some(action) => decide(cx, caller, need, action, place).map_err(|_| refused),
        None => Err(refused),
    }
}

fn is_missing(need: &Need, place: &Place) -> bool {
    matches!(need.resource, Resource::Repository(..)) && place.repository.is_none()
}

/// Whether what was remembered about the caller and the place is what the rows say.
async fn is_current(cx: &Cx<'_>, caller: &Caller, place: &Place) -> Result<bool> {
    let account = caller.known().map(|known| known.account);
    let (owner, repository) = (place.registry.account(), place.repository.clone());
    let current = cx
        .core
        .meta
        .query(move |tx| {
            let caller = account.as_ref().map_or("", AccountId::as_str);
            match repository {
                Some(target) => guard::of_repository(tx, caller, target.repository.incarnation),
                None => guard::of_account(tx, caller, owner),
            }
        })
        .await
        .map_err(Error::from)?;
    Ok(current == place.versions(caller))
}

pub(crate) fn not_found(name: &RepositoryName, registry: &Registry) -> Error {
    Error::RepositoryNotFound {
        name: name.to_string(),
        account: registry.account(),
    }
}
