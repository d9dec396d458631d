//! `CopyRepository` and `MoveRepository`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::{AccountId, Region, Registry, RegistryKind},
    id::CopyId,
    name::RepositoryName,
};
use serde::Deserialize;

use super::repository_copy::{RepositoryCopyAnswer, source};
use crate::{
    authz::{self, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    operation::Operation,
    storage::{
        copy::{Asker, Deed, Deeds, needs},
        repository::NewRepository,
    },
    table::{
        repository,
        repository_copy::{self, Kind, Named, Phase, RepositoryCopy, content, target},
        repository_tag,
    },
};

/// How many copies from the repositories of one account may be under way.
const MAX_RUNNING: i64 = 20;
/// How many copies of an account's repositories are remembered that have ended.
const MAX_REMEMBERED: i64 = 200;

/// From where to where; without a member, the target is like the source in it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Way {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    target_registry_id: Member<AccountId>,
    target_region: Member<Region>,
    target_repository_name: Member<RepositoryName>,
}

/// Begins to copy a repository to another name, account or Region. The copy appears once it is whole, and then is what the source is
/// in that moment: images, tags, times, settings and policies.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct CopyRepository(Way);

/// Begins to move a repository to another account or Region: a copy, in whose last moment the source goes.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct MoveRepository(Way);

impl Operation for CopyRepository {
    type Output = RepositoryCopyAnswer;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(needs(&self.0.deeds(scope, Deed::Copy)?, &[]))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryCopyAnswer> {
        begin(cx, permit, self.0.deeds(&cx.scope, Deed::Copy)?).await
    }
}

impl Operation for MoveRepository {
    type Output = RepositoryCopyAnswer;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(needs(&self.0.deeds(scope, Deed::Move)?, &[]))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryCopyAnswer> {
        begin(cx, permit, self.0.deeds(&cx.scope, Deed::Move)?).await
    }
}

impl Way {
    fn deeds(&self, scope: &Scope, deed: Deed) -> Result<Deeds> {
        let from = source(scope, &self.registry_id, &self.repository_name)?;
        let account = self.target_registry_id.optional("targetRegistryId")?;
        let region = self.target_region.optional("targetRegion")?;
        let name = self
            .target_repository_name
            .optional("targetRepositoryName")?;
        let to = Named {
            registry: Registry::new(
                RegistryKind::Private,
                account.unwrap_or(from.registry.account()),
                region.unwrap_or(from.registry.region()),
            )
            .map_err(|_| Error::invalid("targetRegion", "There is no such Region"))?,
            name: name.unwrap_or_else(|| from.name.clone()),
        };
        if to == from {
            return Err(Error::invalid(
                "targetRepositoryName",
                "The target must be another repository than the source",
            ));
        }
        if deed == Deed::Move && to.registry == from.registry {
            return Err(Error::invalid(
                "targetRepositoryName",
                "Within a registry, RenameRepository gives a repository another name",
            ));
        }
        Ok(Deeds { deed, from, to })
    }
}

async fn begin<O>(cx: &Cx<'_>, permit: Permit<O>, deeds: Deeds) -> Result<RepositoryCopyAnswer> {
    let tags = cx
        .read(permit.grant(), |tx, grant| {
            Ok(repository_tag::all(tx, grant.repository()?.incarnation)?)
        })
        .await?;
    let permit: Permit<O> = authz::authorize(cx, needs(&deeds, &tags)).await?;
    let total = cx
        .read(permit.grant(), |tx, grant| {
            Ok(content::count(tx, grant.repository()?.incarnation)?)
        })
        .await?;
    let beginning = Beginning::new(cx, deeds, total).await?;
    let grants: Vec<Grant> = permit.grants().cloned().collect();
    let copy = cx
        .change_all(grants, Durability::Durable, move |tx, grants| {
            let first = grants.first();
            let first = first.ok_or_else(|| Error::internal("a copy without a grant"))?;
            beginning.insert(tx, first.repository()?)
        })
        .await?;
    cx.core.wake_copies.notify_one();
    Ok(copy.into())
}

/// What a copy begins with.
#[derive(Clone)]
struct Beginning {
    id: CopyId,
    deeds: Deeds,
    target: NewRepository,
    asker: String,
    total: i64,
}

impl Beginning {
    async fn new(cx: &Cx<'_>, deeds: Deeds, total: i64) -> Result<Self> {
        let to = &deeds.to;
        Ok(Self {
            id: CopyId::from_uuid(cx.core.fresh()),
            target: NewRepository::new(cx.core, to.registry, to.name.clone()).await?,
            deeds,
            asker: Asker::of(cx)?,
            total,
        })
    }

    /// Makes the target, which nobody sees yet, and the copy.
    fn insert(&self, tx: &mut dyn Tx, source: &repository::Repository) -> Result<RepositoryCopy> {
        let Deeds { deed, from, to } = &self.deeds;
        // Who is writing into the source now is seen by the first step, who writes later notes it.
        if !target::hold(tx, source.incarnation)? {
            return Err(Error::Stale);
        }
        if repository_copy::running(tx, from.registry.account())? >= MAX_RUNNING {
            return Err(Error::LimitExceeded(format!(
                "{MAX_RUNNING} copies of the account's repositories are under way, which is the limit"
            )));
        }
        repository_copy::shorten(tx, from.registry.account(), MAX_REMEMBERED)?;
        let now = tx.now();
        let target = self.target.insert(tx)?.incarnation;
        target::hide(tx, target)?;
        let copy = RepositoryCopy {
            id: self.id,
            kind: match deed {
                Deed::Move => Kind::Move,
                Deed::Copy | Deed::Rename => Kind::Copy,
            },
            source: source.incarnation,
            from: from.clone(),
            target,
            to: to.clone(),
            caller: self.asker.clone(),
            phase: Phase::Images,
            step: 0,
            cursor: Vec::new(),
            total: self.total,
            images: 0,
            bytes: 0,
            failures: 0,
            failure: None,
            started_at: now,
            due: now,
            ended_at: None,
        };
        if repository_copy::insert(tx, &copy)? {
            Ok(copy)
        } else {
            Err(Error::LimitExceeded(format!(
                "A copy to the repository with name '{}' in the registry with id '{}' is under way",
                to.name,
                to.registry.account()
            )))
        }
    }
}
