//! Repositories that are made on somebody's behalf, as a repository creation template says (`behaviour.md` section 16).
//!
//! The service makes them in a role: the template's own, or else its service-linked one, which may tag nothing. Whoever
//! pushes must be allowed `ecr:CreateRepository`, too; whoever is not is told what there would be to tell without a template.

use longshore_store::meta::Durability;
use longshore_types::{
    account::{Registry, RegistryKind},
    arn::PrincipalArn,
    name::RepositoryName,
};

use crate::{
    authz::{self, Ecr, Grant, Needs, Permit, Resource},
    cx::Cx,
    error::{Error, Result},
    iam::role::service_role_arn,
    member::words,
    op::resource::asked,
    storage::repository::NewRepository,
    table::creation_template::{self, CreationTemplate},
};

/// The service that makes them, as roles trust it.
pub(crate) const SERVICE: &str = "ecr.amazonaws.com";
/// How often a creation is decided again because what it rested on changed meanwhile.
const DECISIONS: usize = 4;

words! {
    /// What a template is for.
    pub(crate) AppliedFor {
        CreateOnPush = "CREATE_ON_PUSH",
        PullThroughCache = "PULL_THROUGH_CACHE",
        Replication = "REPLICATION",
    }
}

impl AppliedFor {
    const ALL: [Self; 3] = [
        Self::CreateOnPush,
        Self::PullThroughCache,
        Self::Replication,
    ];

    /// The word as the API writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CreateOnPush => "CREATE_ON_PUSH",
            Self::PullThroughCache => "PULL_THROUGH_CACHE",
            Self::Replication => "REPLICATION",
        }
    }

    /// The number that rows know it by.
    pub(crate) const fn bit(self) -> i64 {
        match self {
            Self::CreateOnPush => 1,
            Self::PullThroughCache => 2,
            Self::Replication => 4,
        }
    }

    /// The sum of the numbers of `some`, each taken once.
    pub(crate) fn sum(some: &[Self]) -> i64 {
        some.iter().fold(0, |sum, one| sum | one.bit())
    }

    /// Those of a sum, each once and in their order.
    pub(crate) fn of_sum(sum: i64) -> Vec<Self> {
        let in_it = |one: &Self| sum & one.bit() != 0;
        Self::ALL.into_iter().filter(in_it).collect()
    }
}

/// Makes the repository that the caller pushes to and that is not there, if a template is for it and the caller may.
/// Returns whether it is there now, whoever made it.
pub(crate) async fn by_push(
    cx: &Cx<'_>,
    registry: Registry,
    name: &RepositoryName,
) -> Result<bool> {
    // ECR Public has no templates.
    if registry.kind() == RegistryKind::Public {
        return Ok(false);
    }
    let needs = || {
        let new = Resource::NewRepository(registry, name.clone());
        Needs::one(Ecr::CreateRepository, new)
    };
    let permit: Permit<NewRepository> = match authz::authorize(cx, needs()).await {
        Err(Error::AccessDenied(_) | Error::AuthenticationRequired) => return Ok(false),
        decided => decided?,
    };
    let mut pusher = permit.grant().clone();
    for attempt in 0..DECISIONS {
        let Some(template) = matching(cx, registry, name, AppliedFor::CreateOnPush).await? else {
            return Ok(false);
        };
        if attempt == 0 {
            cx.core.rates.count(cx, &needs())?;
        }
        match make(cx, &pusher, registry, name, template).await {
            Err(Error::Stale) => pusher = authz::again(cx, &pusher).await?,
            Err(Error::RepositoryAlreadyExists { .. }) => return Ok(true),
            made => return made.map(|()| true),
        }
    }
    Err(Error::Unavailable)
}

/// Returns the template that a new repository of that name gets.
async fn matching(
    cx: &Cx<'_>,
    registry: Registry,
    name: &RepositoryName,
    applied_for: AppliedFor,
) -> Result<Option<CreationTemplate>> {
    let name = name.clone();
    let found = cx
        .core
        .meta
        .query(move |tx| creation_template::matching(tx, &registry, &name, applied_for));
    found.await.map_err(Error::from)
}

/// Makes the repository, in one transaction that proves what it was decided on: that the pusher may, that the role may, and
/// that the template is still the one.
async fn make(
    cx: &Cx<'_>,
    pusher: &Grant,
    registry: Registry,
    name: &RepositoryName,
    template: CreationTemplate,
) -> Result<()> {
    let mut grants = as_role(cx, registry, name, &template).await?;
    grants.push(pusher.clone());
    let mut new = NewRepository::new(cx.core, registry, name.clone()).await?;
    new.mutability = template.mutability.clone();
    new.tags.clone_from(&template.tags);
    new.policy.clone_from(&template.policy);
    new.lifecycle_policy.clone_from(&template.lifecycle_policy);
    let name = name.clone();
    let written = cx.core.meta.write(Durability::Durable, move |tx| {
        Grant::assert_all(tx, &grants)?;
        let now = creation_template::matching(tx, &registry, &name, AppliedFor::CreateOnPush)?;
        if now.as_ref() != Some(&template) {
            return Err(Error::Stale);
        }
        new.insert(tx).map(drop)
    });
    written.await
}

/// Decides whether the role of `template` trusts the service and may do what the template asks for.
async fn as_role(
    cx: &Cx<'_>,
    registry: Registry,
    name: &RepositoryName,
    template: &CreationTemplate,
) -> Result<Vec<Grant>> {
    let role = match &template.custom_role {
        Some(role) => role.clone(),
        None => own_role(&registry)?,
    };
    let resource = Resource::NewRepository(registry, name.clone());
    let (trusted, session) = authz::assume_for_service(cx, &role, SERVICE, &resource).await?;
    let needs = Needs::one(Ecr::CreateRepository, resource);
    let needs = if template.tags.is_empty() {
        needs
    } else {
        asked(needs.and(Ecr::TagResource), &template.tags)
    };
    let as_role = Cx {
        caller: session,
        request: crate::RequestFacts {
            is_secure: true,
            ..crate::RequestFacts::default()
        },
        core: cx.core,
        scope: cx.scope.clone(),
        endpoints: cx.endpoints,
    };
    let permit: Permit<NewRepository> = authz::authorize(&as_role, needs).await?;
    Ok(permit.grants().cloned().chain([trusted]).collect())
}

/// The service-linked role that templates use which name none.
fn own_role(registry: &Registry) -> Result<PrincipalArn> {
    let arn = service_role_arn(SERVICE, registry.account())?;
    arn.parse().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_is_for_is_kept_as_a_sum() {
        for sum in 0..8 {
            let some = AppliedFor::of_sum(sum);
            assert_eq!(AppliedFor::sum(&some), sum);
            let words = some.iter().map(|one| one.as_str().parse().unwrap());
            assert_eq!(words.collect::<Vec<AppliedFor>>(), some);
        }
    }
}
