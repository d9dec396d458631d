//! `TagPolicy`, `UntagPolicy` and `ListPolicyTags`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{Found, changeable, named, on, refuse_aws};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        page,
        tag::{self, ListedTags, Tag},
    },
    operation::Operation,
    table::{account, identity_tag},
};

/// Adds tags to a policy; a key that is there gets the new value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagPolicy {
    policy_arn: String,
    tags: Vec<Tag>,
}

impl Operation for TagPolicy {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let tags = tag::read(Some(&self.tags))?;
        let needs = on(Iam::TagPolicy, scope, &self.policy_arn)?;
        Ok(tag::requested(needs, &tags))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        refuse_aws(cx, Iam::TagPolicy, &self.policy_arn)?;
        let tags = tag::read(Some(&self.tags))?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let policy = changeable(tx, account, &self.policy_arn)?;
            tag::put(tx, &policy.arn, &tags)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Removes those tags of a policy that have one of the keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagPolicy {
    policy_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagPolicy {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        tag::read_keys(&self.tag_keys)?;
        let needs = on(Iam::UntagPolicy, scope, &self.policy_arn)?;
        Ok(tag::with_keys(needs, &self.tag_keys))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        refuse_aws(cx, Iam::UntagPolicy, &self.policy_arn)?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let policy = changeable(tx, account, &self.policy_arn)?;
            identity_tag::remove(tx, &policy.arn, &self.tag_keys)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Tells the tags of a policy in pages by key; AWS's have none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPolicyTags {
    policy_arn: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListPolicyTags {
    type Output = ListedTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        on(Iam::ListPolicyTags, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        let list = format!("ListPolicyTags {}", self.policy_arn);
        let asked = (self.marker.as_deref(), self.max_items);
        tag::list(cx, permit.grant(), list, asked, move |tx, account| {
            Ok(match named(tx, account, &self.policy_arn)? {
                Found::Aws(policy) => policy.arn.to_owned(),
                Found::Customer(policy) => policy.arn,
            })
        })
        .await
    }
}
