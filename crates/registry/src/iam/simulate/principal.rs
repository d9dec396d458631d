//! `SimulatePrincipalPolicy`.

use longshore_types::arn::PrincipalArn;
use serde::Deserialize;

use super::{
    custom::{boundary, caller, check_boundary, resource_policy},
    input::{Simulation, invalid, read_policies},
    result::Simulated,
    run::{Actor, Scenario},
    source::{Source, Sources},
    subject::{Subject, SubjectArn},
};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::identity::IdentityKind,
    operation::Operation,
};

/// Tells what a user, group or role would be allowed, by its policies and by others that are given beside them.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct SimulatePrincipalPolicy(Simulation);

impl SimulatePrincipalPolicy {
    fn subject(&self) -> Result<SubjectArn> {
        let arn = self.0.policy_source_arn.as_deref();
        let arn = arn.ok_or_else(|| {
            Fault::Validation.because(
                "1 validation error detected: Value null at 'policySourceArn' failed to satisfy constraint: Member must \
                 not be null",
            )
        })?;
        SubjectArn::parse(arn)
    }

    fn check(&self) -> Result<SubjectArn> {
        let subject = self.subject()?;
        self.0.check()?;
        read_policies("policyInputList.member", self.0.policy_input_list.as_ref())?;
        check_boundary(&self.0)?;
        let has_resource_policy = self.0.read_resource_policy()?.is_some();
        match subject.kind {
            IdentityKind::Role if has_resource_policy => Err(invalid(
                "Simulation of resource-based policies isn't supported for IAM roles.",
            )),
            IdentityKind::Group if has_resource_policy && self.0.caller_arn.is_none() => Err(
                invalid("CallerArn must be given with ResourcePolicy and the ARN of a group."),
            ),
            _ => Ok(subject),
        }
    }
}

impl Operation for SimulatePrincipalPolicy {
    type Output = Simulated;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(self.check()?.needs(Iam::SimulatePrincipalPolicy, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Simulated> {
        let arn = self.subject()?;
        let input = self.0.clone();
        let (subject, actor, resource) = cx
            .read(permit.grant(), move |tx, _| {
                let subject = arn.read(tx)?;
                let actor = caller(tx, &input)?.unwrap_or_else(|| as_itself(&subject));
                let resource = resource_policy(tx, &input)?;
                Ok::<_, Error>((subject, actor, resource))
            })
            .await?;
        let mut policies = subject.policies;
        policies.extend(Source::of_input(
            "PolicyInputList",
            self.0.policy_input_list.as_ref(),
        ));
        let own_boundary = || subject.boundary.map(|source| Sources::new(vec![source]));
        let boundary = match boundary(&self.0)? {
            Some(given) => Some(given),
            None => own_boundary().transpose()?,
        };
        let scenario = Scenario {
            actor,
            identity: Sources::new(policies)?,
            boundary,
            resource,
            input: &self.0,
        };
        let list = format!("SimulatePrincipalPolicy {:?}", self.0.policy_source_arn);
        scenario.run(cx.core, &list)
    }
}

/// The subject, calling itself: a user, a session of a role, or anybody in a group.
fn as_itself(subject: &Subject) -> Actor {
    let (arn, id) = (subject.text(), subject.identity.id.clone());
    let mut keys = Vec::new();
    let mut add = |key: &str, value: String| keys.push((key.to_owned(), value));
    add("aws:PrincipalAccount", subject.arn.account.to_string());
    match subject.arn.kind {
        IdentityKind::User => {
            add("aws:PrincipalType", "User".to_owned());
            add("aws:userid", id.clone());
            add("aws:username", subject.identity.name.clone());
        }
        IdentityKind::Role => add("aws:PrincipalType", "AssumedRole".to_owned()),
        IdentityKind::Group => {}
    }
    if arn.parse::<PrincipalArn>().is_ok() {
        add("aws:PrincipalArn", arn.clone());
    }
    for (key, value) in &subject.tags {
        add(&format!("aws:PrincipalTag/{key}"), value.clone());
    }
    Actor {
        account: subject.arn.account,
        id,
        arn,
        is_role: subject.arn.kind == IdentityKind::Role,
        keys,
    }
}
