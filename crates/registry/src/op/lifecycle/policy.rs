//! `PutLifecyclePolicy`, `GetLifecyclePolicy` and `DeleteLifecyclePolicy`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{account::AccountId, name::RepositoryName, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::text;
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    table::lifecycle::{
        evaluation::{self, Kind},
        policy::{self, LifecyclePolicyRow},
    },
};

/// Gives a repository a lifecycle policy instead of the one it has, whose run ends.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutLifecyclePolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    lifecycle_policy_text: Option<String>,
}

/// Tells the lifecycle policy of a repository.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetLifecyclePolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// Takes the lifecycle policy of a repository away, and ends its run.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteLifecyclePolicy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// The lifecycle policy that a repository has now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicyPut {
    registry_id: AccountId,
    repository_name: RepositoryName,
    lifecycle_policy_text: String,
}

/// A lifecycle policy and when it last ran: in 1970, if it never did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluatedLifecyclePolicy {
    registry_id: AccountId,
    repository_name: RepositoryName,
    lifecycle_policy_text: String,
    last_evaluated_at: Timestamp,
}

impl Operation for PutLifecyclePolicy {
    type Output = LifecyclePolicyPut;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::PutLifecyclePolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        text::check(self.text()?)?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<LifecyclePolicyPut> {
        let text = self.text()?.to_owned();
        cx.write(permit.grant(), Durability::Durable, move |tx, grant| {
            let repository = grant.repository()?;
            let incarnation = repository.incarnation;
            let old = policy::get(tx, incarnation)?;
            if old.is_none_or(|old| old.text != text) {
                policy::put(tx, incarnation, &text)?;
                evaluation::end(tx, incarnation, Kind::Run)?;
            }
            Ok(LifecyclePolicyPut {
                registry_id: repository.registry.account(),
                repository_name: repository.name.clone(),
                lifecycle_policy_text: text.clone(),
            })
        })
        .await
    }
}

impl PutLifecyclePolicy {
    fn text(&self) -> Result<&str> {
        let text = self.lifecycle_policy_text.as_deref();
        text.ok_or_else(|| Error::invalid("lifecyclePolicyText", "Member must not be null"))
    }
}

impl Operation for GetLifecyclePolicy {
    type Output = EvaluatedLifecyclePolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::GetLifecyclePolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<EvaluatedLifecyclePolicy> {
        cx.read(permit.grant(), |tx, grant| {
            EvaluatedLifecyclePolicy::of(grant, stored(tx, grant)?)
        })
        .await
    }
}

impl Operation for DeleteLifecyclePolicy {
    type Output = EvaluatedLifecyclePolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::DeleteLifecyclePolicy,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<EvaluatedLifecyclePolicy> {
        cx.write(permit.grant(), Durability::Durable, |tx, grant| {
            let row = stored(tx, grant)?;
            let incarnation = grant.repository()?.incarnation;
            policy::remove(tx, incarnation)?;
            evaluation::end(tx, incarnation, Kind::Run)?;
            EvaluatedLifecyclePolicy::of(grant, row)
        })
        .await
    }
}

impl EvaluatedLifecyclePolicy {
    fn of(grant: &Grant, row: LifecyclePolicyRow) -> Result<Self> {
        let repository = grant.repository()?;
        Ok(Self {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            lifecycle_policy_text: row.text,
            last_evaluated_at: row.evaluated_at.unwrap_or_default(),
        })
    }
}

/// The policy that the repository has.
pub(super) fn stored(tx: &mut dyn Tx, grant: &Grant) -> Result<LifecyclePolicyRow> {
    let repository = grant.repository()?;
    let row = policy::get(tx, repository.incarnation)?;
    row.ok_or_else(|| Error::LifecyclePolicyNotFound {
        name: repository.name.clone(),
        account: repository.registry.account(),
    })
}
