//! `PutRegistryPolicy`, `GetRegistryPolicy` and `DeleteRegistryPolicy` (`behaviour.md` section 13.2).

use longshore_policy::Kind;
use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::region;
use crate::{
    account_setting::{PolicyScope, SettingName},
    authz::{Ecr, Grant, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    named,
    op::policy::PolicyText,
    operation::Operation,
    table::{account, account_setting, registry_policy, target::PolicyRow},
};

/// Gives the registry a policy instead of the one it has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutRegistryPolicy {
    policy_text: Option<String>,
}

/// Tells the policy of the registry.
#[derive(Debug, Deserialize)]
pub struct GetRegistryPolicy {}

/// Takes the policy of the registry away.
#[derive(Debug, Deserialize)]
pub struct DeleteRegistryPolicy {}

/// The policy of a registry, or the one that it had.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryPolicy {
    registry_id: AccountId,
    policy_text: String,
}

impl RegistryPolicy {
    fn of(grant: &Grant, policy_text: String) -> Self {
        Self {
            registry_id: grant.registry().account(),
            policy_text,
        }
    }
}

impl Operation for PutRegistryPolicy {
    type Output = RegistryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.policy()?;
        Ok(on_registry(Ecr::PutRegistryPolicy, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryPolicy> {
        let (grant, policy) = (permit.grant(), self.policy()?);
        let answer = cx
            .change(grant, Durability::Durable, move |tx, grant| {
                let registry = grant.registry();
                if scope_of(tx, grant)? == PolicyScope::Narrow && !is_narrow(&policy) {
                    return Err(policy.refusal());
                }
                // The operation has no error of a limit.
                if region::is_one_too_many(tx, registry)? {
                    return Err(policy.refusal());
                }
                let row = policy.bind(tx)?;
                registry_policy::put(tx, registry, &row)?;
                account::bump(tx, registry.account())?;
                Ok(RegistryPolicy::of(grant, row.text))
            })
            .await?;
        cx.core.targets.forget_registry(grant.registry());
        Ok(answer)
    }
}

impl PutRegistryPolicy {
    fn policy(&self) -> Result<PolicyText> {
        PolicyText::read(self.policy_text.as_deref(), Kind::Registry)
    }
}

impl Operation for GetRegistryPolicy {
    type Output = RegistryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(on_registry(Ecr::GetRegistryPolicy, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryPolicy> {
        cx.read(permit.grant(), |tx, grant| {
            let row = stored(tx, grant)?;
            Ok(RegistryPolicy::of(grant, named::shown(tx, &row)?))
        })
        .await
    }
}

impl Operation for DeleteRegistryPolicy {
    type Output = RegistryPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(on_registry(Ecr::DeleteRegistryPolicy, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryPolicy> {
        let grant = permit.grant();
        let answer = cx
            .change(grant, Durability::Durable, |tx, grant| {
                let row = stored(tx, grant)?;
                registry_policy::remove(tx, grant.registry())?;
                account::bump(tx, grant.registry().account())?;
                Ok(RegistryPolicy::of(grant, named::shown(tx, &row)?))
            })
            .await?;
        cx.core.targets.forget_registry(grant.registry());
        Ok(answer)
    }
}

fn on_registry(action: Ecr, scope: &Scope) -> Needs {
    Needs::one(action, Resource::Registry(scope.registry))
}

fn stored(tx: &mut dyn Tx, grant: &Grant) -> Result<PolicyRow> {
    let registry = grant.registry();
    registry_policy::get(tx, registry)?.ok_or(Error::RegistryPolicyNotFound(registry.account()))
}

fn scope_of(tx: &mut dyn Tx, grant: &Grant) -> Result<PolicyScope> {
    let name = SettingName::RegistryPolicyScope.as_str();
    let value = account_setting::get(tx, grant.registry(), name)?;
    let setting = value.map(|value| (name.to_owned(), value));
    Ok(PolicyScope::of(setting.as_slice()))
}

/// Whether the policy is about nothing but what scope V1 takes.
fn is_narrow(policy: &PolicyText) -> bool {
    policy.policy.actions().all(|action| {
        matches!(
            action,
            "ecr:replicateimage" | "ecr:batchimportupstreamimage" | "ecr:createrepository"
        )
    })
}
