//! `TagUser`, `UntagUser` and `ListUserTags`.

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

/// Adds tags to a user; a key that is there gets the new value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagUser {
    user_name: String,
    tags: Vec<Tag>,
}

impl Operation for TagUser {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on(Iam::TagUser, scope, &self.user_name)?;
        Ok(tag::requested(needs, &tag::read(Some(&self.tags))?))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let tags = tag::read(Some(&self.tags))?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let id = named(tx, account, &self.user_name)?.id;
            tag::put(tx, &id, &tags)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Removes those tags of a user that have one of the keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagUser {
    user_name: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagUser {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        tag::read_keys(&self.tag_keys)?;
        let needs = on(Iam::UntagUser, scope, &self.user_name)?;
        Ok(tag::with_keys(needs, &self.tag_keys))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let id = named(tx, account, &self.user_name)?.id;
            identity_tag::remove(tx, &id, &self.tag_keys)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Tells the tags of a user in pages by key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUserTags {
    user_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListUserTags {
    type Output = ListedTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        on(Iam::ListUserTags, scope, &self.user_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        let list = format!("ListUserTags {}", self.user_name);
        let asked = (self.marker.as_deref(), self.max_items);
        let name = self.user_name.clone();
        tag::list(cx, permit.grant(), list, asked, move |tx, account| {
            Ok(named(tx, account, &name)?.id)
        })
        .await
    }
}
