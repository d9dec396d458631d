//! `SetRepositoryPolicy`, `GetRepositoryPolicy` and `DeleteRepositoryPolicy` (`behaviour.md` section 13.1).

use longshore_policy::Kind;
use longshore_store::meta::{Durability, Tx};
use longshore_types::{account::AccountId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{self, Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    named,
    op::{on_repository, policy::PolicyText},
    operation::Operation,
    table::{repository, target::PolicyRow},
};

/// Gives a repository a policy instead of the one it has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetRepositoryPolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    policy_text: Option<String>,
    force: bool,
}

/// Tells the policy of a repository.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetRepositoryPolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// Takes the policy of a repository away.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteRepositoryPolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// The policy of a repository, or the one that it had.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryPolicy {
    registry_id: AccountId,
    repository_name: RepositoryName,
    policy_text: String,
}

impl RepositoryPolicy {
    fn of(grant: &Grant, policy_text: String) -> Result<Self> {
        let repository = grant.repository()?;
        Ok(Self {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            policy_text,
        })
    }
}

impl Operation for SetRepositoryPolicy {
    type Output = RepositoryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::SetRepositoryPolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.policy()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryPolicy> {
        let (grant, policy) = (permit.grant(), self.policy()?);
        if !self.force {
            refuse_lock_out(cx, grant, &policy).await?;
        }
        let answer = cx
            .change(grant, Durability::Durable, move |tx, grant| {
                let row = policy.bind(tx)?;
                repository::set_policy(tx, grant.repository()?.incarnation, Some(&row))?;
                RepositoryPolicy::of(grant, row.text)
            })
            .await?;
        forget(cx, grant)?;
        Ok(answer)
    }
}

impl SetRepositoryPolicy {
    fn policy(&self) -> Result<PolicyText> {
        PolicyText::read(self.policy_text.as_deref(), Kind::Repository)
    }
}

/// Refuses a policy under which the caller could not set another one.
async fn refuse_lock_out(cx: &Cx<'_>, grant: &Grant, policy: &PolicyText) -> Result<()> {
    let wanted = policy.clone();
    let row = cx.read(grant, move |tx, _| wanted.bind(tx)).await?;
    if authz::allowed_under(cx, grant, &row).await? {
        Ok(())
    } else {
        Err(Error::invalid(
            "PolicyText",
            "The policy would not let you set a later policy, which only force does",
        ))
    }
}

impl Operation for GetRepositoryPolicy {
    type Output = RepositoryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::GetRepositoryPolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryPolicy> {
        cx.read(permit.grant(), |tx, grant| {
            let row = stored(tx, grant)?;
            RepositoryPolicy::of(grant, named::shown(tx, &row)?)
        })
        .await
    }
}

impl Operation for DeleteRepositoryPolicy {
    type Output = RepositoryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::DeleteRepositoryPolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryPolicy> {
        let grant = permit.grant();
        let answer = cx
            .change(grant, Durability::Durable, |tx, grant| {
                let row = stored(tx, grant)?;
                repository::set_policy(tx, grant.repository()?.incarnation, None)?;
                RepositoryPolicy::of(grant, named::shown(tx, &row)?)
            })
            .await?;
        forget(cx, grant)?;
        Ok(answer)
    }
}

fn stored(tx: &mut dyn Tx, grant: &Grant) -> Result<PolicyRow> {
    let of = grant.repository()?;
    repository::policy(tx, of.incarnation)?.ok_or_else(|| Error::RepositoryPolicyNotFound {
        name: of.name.clone(),
        account: of.registry.account(),
    })
}

fn forget(cx: &Cx<'_>, grant: &Grant) -> Result<()> {
    let repository = grant.repository()?;
    cx.core
        .targets
        .forget(&repository.registry, &repository.name);
    Ok(())
}
