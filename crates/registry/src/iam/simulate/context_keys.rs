//! `GetContextKeysForCustomPolicy` and `GetContextKeysForPrincipalPolicy`.

use std::collections::HashSet;

use longshore_policy::Policy;
use serde::{Deserialize, Serialize};

use super::{
    input::read_policies,
    source::Sources,
    subject::{self, SubjectArn},
};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
};

/// The keys, each once in whatever case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextKeys {
    context_key_names: Vec<String>,
}

impl ContextKeys {
    fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut seen = HashSet::new();
        let keys = policies.into_iter().flat_map(Policy::context_keys);
        let keys = keys.filter(|key| seen.insert(key.to_ascii_lowercase()));
        Self {
            context_key_names: keys.map(str::to_owned).collect(),
        }
    }
}

/// Tells which condition keys policies that are given read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetContextKeysForCustomPolicy {
    policy_input_list: Vec<String>,
}

impl GetContextKeysForCustomPolicy {
    fn policies(&self) -> Result<Vec<Policy>> {
        read_policies("policyInputList.member", Some(&self.policy_input_list))
    }
}

impl Operation for GetContextKeysForCustomPolicy {
    type Output = ContextKeys;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.policies()?;
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Iam::GetContextKeysForCustomPolicy,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ContextKeys> {
        cx.read(permit.grant(), |_, _| Ok(())).await?;
        Ok(ContextKeys::of(&self.policies()?))
    }
}

/// Tells which condition keys the policies of a user, group or role read, and others that are given beside them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetContextKeysForPrincipalPolicy {
    policy_source_arn: String,
    policy_input_list: Option<Vec<String>>,
}

impl GetContextKeysForPrincipalPolicy {
    fn policies(&self) -> Result<Vec<Policy>> {
        read_policies("policyInputList.member", self.policy_input_list.as_ref())
    }
}

impl Operation for GetContextKeysForPrincipalPolicy {
    type Output = ContextKeys;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.policies()?;
        let subject = SubjectArn::parse(&self.policy_source_arn)?;
        Ok(subject.needs(Iam::GetContextKeysForPrincipalPolicy, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ContextKeys> {
        let arn = SubjectArn::parse(&self.policy_source_arn)?;
        let subject = subject::read(cx, permit.grant(), arn).await?;
        let own = Sources::new(subject.policies)?;
        let own = own.set.policies().map(|(_, policy)| &**policy);
        Ok(ContextKeys::of(own.chain(&self.policies()?)))
    }
}
