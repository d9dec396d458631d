//! `CreatePolicy`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::{
        document, id, member, quota,
        tag::{self, Tag},
    },
    operation::Operation,
    table::{
        account,
        attachment::Uses,
        identity_tag,
        managed_policy::{self, ManagedPolicy},
    },
};

const MAX_DESCRIPTION: usize = 1000;

/// Makes a managed policy with its first version.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatePolicy {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    tags: Option<Vec<Tag>>,
}

/// The new policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedPolicy {
    policy: Policy,
}

impl CreatePolicy {
    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }
}

impl Operation for CreatePolicy {
    type Output = CreatedPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        member::name("policyName", &self.policy_name, member::MAX_NAME)?;
        member::path("path", self.path.as_deref())?;
        let description = self.description.as_deref().unwrap_or_default();
        member::length("description", description, 0, MAX_DESCRIPTION)?;
        document::check_managed("policyDocument", &self.policy_document)?;
        let tags = tag::read(self.tags.as_ref())?;
        let account = scope.registry.account();
        let arn = format!(
            "arn:aws:iam::{account}:policy{}{}",
            self.path(),
            self.policy_name
        );
        let needs = Needs::one(Iam::CreatePolicy, Resource::Account { account, arn });
        Ok(if tags.is_empty() {
            needs
        } else {
            tag::requested(needs.and(Iam::TagPolicy), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedPolicy> {
        let seed = cx.core.fresh();
        let tags = tag::read(self.tags.as_ref())?;
        let policy = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let count = managed_policy::count(tx, account)?;
                quota::check("PoliciesPerAccount", count, quota::POLICIES)?;
                let row = ManagedPolicy {
                    arn: format!(
                        "arn:aws:iam::{account}:policy{}{}",
                        self.path(),
                        self.policy_name
                    ),
                    id: id::unique(id::POLICY, seed.as_bytes()),
                    name: self.policy_name.clone(),
                    path: self.path().to_owned(),
                    description: self.description.clone().unwrap_or_default(),
                    default_version: 1,
                    last_version: 1,
                    created_at: tx.now(),
                    updated_at: tx.now(),
                    uses: Uses::default(),
                };
                if !managed_policy::insert(tx, account, &row, &self.policy_document)? {
                    return Err(Fault::EntityAlreadyExists.because(format!(
                        "A policy called {} already exists. Duplicate names are not allowed.",
                        row.name
                    )));
                }
                identity_tag::put(tx, &row.arn, &tags)?;
                account::bump(tx, account)?;
                Ok(Policy {
                    tags: Tag::all(tags.clone()),
                    ..Policy::of_customer(row)
                })
            })
            .await?;
        Ok(CreatedPolicy { policy })
    }
}
