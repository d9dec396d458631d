//! `SimulateCustomPolicy`.

use longshore_policy::Policy;
use longshore_store::meta::Tx;
use longshore_types::account::AccountId;
use serde::Deserialize;

use super::{
    input::{Simulation, invalid, read_policies},
    result::Simulated,
    run::{Actor, Scenario},
    source::{Source, Sources},
};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    named,
    operation::Operation,
    table::principal,
};

/// Tells what policies that are given would allow.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct SimulateCustomPolicy(Simulation);

impl SimulateCustomPolicy {
    fn check(&self) -> Result<()> {
        let Some(policies) = &self.0.policy_input_list else {
            return Err(Fault::Validation.because(
                "1 validation error detected: Value null at 'policyInputList' failed to satisfy constraint: Member must \
                 not be null",
            ));
        };
        self.0.check()?;
        read_policies("policyInputList.member", Some(policies))?;
        check_boundary(&self.0)?;
        let resource = self.0.read_resource_policy()?;
        if resource.is_some() && self.0.caller_arn.is_none() {
            return Err(invalid("CallerArn must be given with ResourcePolicy."));
        }
        Ok(())
    }
}

impl Operation for SimulateCustomPolicy {
    type Output = Simulated;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.check()?;
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Iam::SimulateCustomPolicy,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Simulated> {
        let account = permit.grant().registry().account();
        let input = self.0.clone();
        let (actor, resource) = cx
            .read(permit.grant(), move |tx, _| {
                let actor = caller(tx, &input)?.unwrap_or_else(|| nobody(account));
                Ok::<_, Error>((actor, resource_policy(tx, &input)?))
            })
            .await?;
        let policies = Source::of_input("PolicyInputList", self.0.policy_input_list.as_ref());
        let scenario = Scenario {
            actor,
            identity: Sources::new(policies)?,
            boundary: boundary(&self.0)?,
            resource,
            input: &self.0,
        };
        scenario.run(cx.core, &format!("SimulateCustomPolicy {account}"))
    }
}

/// A user of the account about whom nothing is known.
fn nobody(account: AccountId) -> Actor {
    Actor {
        account,
        id: String::new(),
        arn: String::new(),
        is_role: false,
        keys: Vec::new(),
    }
}

pub(super) fn check_boundary(input: &Simulation) -> Result<()> {
    let list = input.permissions_boundary_policy_input_list.as_ref();
    read_policies("permissionsBoundaryPolicyInputList.member", list).map(drop)
}

/// The boundary that an input gives.
pub(super) fn boundary(input: &Simulation) -> Result<Option<Sources>> {
    let list = input.permissions_boundary_policy_input_list.as_ref();
    let sources = Source::of_input("PermissionsBoundaryPolicyInputList", list);
    if sources.is_empty() {
        return Ok(None);
    }
    Sources::new(sources).map(Some)
}

/// The user whom an input has call; there or not, it is known by its ARN.
pub(super) fn caller(tx: &mut dyn Tx, input: &Simulation) -> Result<Option<Actor>> {
    let Some(arn) = input.caller()? else {
        return Ok(None);
    };
    let text = arn.to_string();
    let id = principal::id(tx, &text)?.unwrap_or_else(|| text.clone());
    let keys = vec![
        ("aws:PrincipalArn".to_owned(), text.clone()),
        ("aws:PrincipalAccount".to_owned(), arn.account().to_string()),
        ("aws:PrincipalType".to_owned(), "User".to_owned()),
        ("aws:userid".to_owned(), id.clone()),
        ("aws:username".to_owned(), arn.name().to_owned()),
    ];
    Ok(Some(Actor {
        account: arn.account(),
        id,
        arn: text,
        is_role: false,
        keys,
    }))
}

/// The policy that all resources are to have, bound to the principals that it names; one that is not there is known by
/// its ARN.
pub(super) fn resource_policy(
    tx: &mut dyn Tx,
    input: &Simulation,
) -> Result<Option<(Policy, Source)>> {
    let (Some(policy), Some(text)) = (input.read_resource_policy()?, &input.resource_policy) else {
        return Ok(None);
    };
    let ids = named::ids_or_names(tx, &policy)?;
    Ok(Some((policy.bind(&ids), Source::of_resource(text))))
}
