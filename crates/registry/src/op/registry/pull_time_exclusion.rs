//! `RegisterPullTimeUpdateExclusion`, `DeregisterPullTimeUpdateExclusion` and `ListPullTimeUpdateExclusions`
//! (`behaviour.md` section 21.1).

use longshore_store::meta::Durability;
use longshore_types::arn::{PrincipalArn, PrincipalKind};
use serde::{Deserialize, Serialize};

use super::region;
use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Form, Member, check_length},
    operation::Operation,
    page::{self, PageSize},
    table::{account, pull_time_exclusion as exclusions},
};

/// How many principals a registry excludes at most (`behaviour.md` section 6).
const MOST: i64 = 100;
const MAX_ARN: usize = 200;

/// Lets the pulls of a user or role no longer count as pulls of images.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterPullTimeUpdateExclusion {
    principal_arn: Member<PrincipalArn>,
}

/// Lets them count again.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeregisterPullTimeUpdateExclusion {
    principal_arn: Member<PrincipalArn>,
}

/// Tells whose pulls do not count.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListPullTimeUpdateExclusions {
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// A principal that is excluded since now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredExclusion {
    principal_arn: PrincipalArn,
    created_at: f64,
}

/// A principal that is not excluded any more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeregisteredExclusion {
    principal_arn: PrincipalArn,
}

/// Excluded principals, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedExclusions {
    pull_time_update_exclusions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for RegisterPullTimeUpdateExclusion {
    type Output = RegisteredExclusion;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        principal(&self.principal_arn)?;
        Ok(on_registry(Ecr::RegisterPullTimeUpdateExclusion, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegisteredExclusion> {
        let (grant, principal_arn) = (permit.grant(), principal(&self.principal_arn)?);
        let excluded = principal_arn.clone();
        let created_at = cx
            .change(grant, Durability::Durable, move |tx, grant| {
                let registry = grant.registry();
                region::check(tx, registry)?;
                if !exclusions::insert(tx, registry, &excluded)? {
                    return Err(Error::ExclusionAlreadyExists {
                        principal: excluded.to_string(),
                        account: registry.account(),
                    });
                }
                if exclusions::count(tx, registry)? > MOST {
                    return Err(Error::LimitExceeded(format!(
                        "The registry with id '{}' cannot have more than {MOST} pull time update exclusions",
                        registry.account()
                    )));
                }
                account::bump(tx, registry.account())?;
                Ok(tx.now())
            })
            .await?;
        cx.core.targets.forget_registry(grant.registry());
        Ok(RegisteredExclusion {
            principal_arn,
            created_at: created_at.as_epoch_seconds(),
        })
    }
}

impl Operation for DeregisterPullTimeUpdateExclusion {
    type Output = DeregisteredExclusion;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        principal(&self.principal_arn)?;
        Ok(on_registry(Ecr::DeregisterPullTimeUpdateExclusion, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DeregisteredExclusion> {
        let (grant, principal_arn) = (permit.grant(), principal(&self.principal_arn)?);
        let excluded = principal_arn.clone();
        cx.change(grant, Durability::Durable, move |tx, grant| {
            let registry = grant.registry();
            if !exclusions::remove(tx, registry, &excluded)? {
                return Err(Error::ExclusionNotFound {
                    principal: excluded.to_string(),
                    account: registry.account(),
                });
            }
            Ok(account::bump(tx, registry.account())?)
        })
        .await?;
        cx.core.targets.forget_registry(grant.registry());
        Ok(DeregisteredExclusion { principal_arn })
    }
}

impl Operation for ListPullTimeUpdateExclusions {
    type Output = ListedExclusions;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        PageSize::USUAL.check(self.max_results)?;
        Ok(on_registry(Ecr::ListPullTimeUpdateExclusions, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedExclusions> {
        let (grant, tokens) = (permit.grant(), &cx.core.tokens);
        let size = PageSize::USUAL.check(self.max_results)?;
        let registry = grant.registry();
        let list = format!(
            "ListPullTimeUpdateExclusions {} {}",
            registry.account(),
            registry.region()
        );
        let paging = page::Paging::<String>::read(tokens, list, size, self.next_token.as_deref())?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let mut principals = cx
            .read(grant, move |tx, grant| {
                Ok(exclusions::page(tx, grant.registry(), &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(tokens, &mut principals, Clone::clone)?;
        Ok(ListedExclusions {
            pull_time_update_exclusions: principals,
            next_token,
        })
    }
}

fn on_registry(action: Ecr, scope: &Scope) -> Needs {
    Needs::one(action, Resource::Registry(scope.registry))
}

impl Form for PrincipalArn {
    fn constraint() -> String {
        r"must satisfy regular expression '^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)/[\w+=,.@-]+(/[\w+=,.@-]+)*$'".to_owned()
    }
}

/// A user or role: those of sessions and whole accounts are not excluded by their own ARNs.
fn principal(member: &Member<PrincipalArn>) -> Result<PrincipalArn> {
    const NAME: &str = "principalArn";
    check_length(NAME, member.text().map_or(1, str::len), MAX_ARN)?;
    let arn = member.required(NAME)?;
    match arn.kind() {
        PrincipalKind::User | PrincipalKind::Role => Ok(arn),
        PrincipalKind::Root | PrincipalKind::AssumedRole | PrincipalKind::FederatedUser => {
            Err(Error::invalid(NAME, PrincipalArn::constraint()))
        }
    }
}
