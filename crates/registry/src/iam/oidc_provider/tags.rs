//! `TagOpenIDConnectProvider`, `UntagOpenIDConnectProvider` and `ListOpenIDConnectProviderTags`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{named, on};
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

/// Adds tags to a provider; a key that is there gets the new value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    tags: Vec<Tag>,
}

impl Operation for TagOpenIDConnectProvider {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        let tags = tag::read(Some(&self.tags))?;
        let needs = on(Iam::TagOpenIDConnectProvider, &self.arn)?;
        Ok(tag::requested(needs, &tags))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let tags = tag::read(Some(&self.tags))?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let provider = named(tx, &self.arn)?;
            tag::put(tx, &provider.arn, &tags)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}

/// Removes those tags of a provider that have one of the keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagOpenIDConnectProvider {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        tag::read_keys(&self.tag_keys)?;
        let needs = on(Iam::UntagOpenIDConnectProvider, &self.arn)?;
        Ok(tag::with_keys(needs, &self.tag_keys))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let provider = named(tx, &self.arn)?;
            identity_tag::remove(tx, &provider.arn, &self.tag_keys)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}

/// Tells the tags of a provider in pages by key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListOpenIDConnectProviderTags {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListOpenIDConnectProviderTags {
    type Output = ListedTags;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        on(Iam::ListOpenIDConnectProviderTags, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        let list = format!("ListOpenIDConnectProviderTags {}", self.arn);
        let asked = (self.marker.as_deref(), self.max_items);
        tag::list(cx, permit.grant(), list, asked, move |tx, _| {
            Ok(named(tx, &self.arn)?.arn)
        })
        .await
    }
}
