//! `TagRole`, `UntagRole` and `ListRoleTags`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{changeable, check_name};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        identity::{self, IdentityKind},
        page,
        tag::{self, ListedTags, Tag},
    },
    operation::Operation,
    table::{account, identity_tag},
};

/// Adds tags to a role; a key that is there gets the new value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagRole {
    role_name: String,
    tags: Vec<Tag>,
}

impl Operation for TagRole {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        let tags = tag::read(Some(&self.tags))?;
        let needs = identity::on(Iam::TagRole, scope, IdentityKind::Role, &self.role_name);
        Ok(tag::requested(needs, &tags))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let tags = tag::read(Some(&self.tags))?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let row = changeable(tx, account, &self.role_name)?;
            tag::put(tx, &row.identity.id, &tags)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Removes those tags of a role that have one of the keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagRole {
    role_name: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagRole {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        tag::read_keys(&self.tag_keys)?;
        let needs = identity::on(Iam::UntagRole, scope, IdentityKind::Role, &self.role_name);
        Ok(tag::with_keys(needs, &self.tag_keys))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let row = changeable(tx, account, &self.role_name)?;
            identity_tag::remove(tx, &row.identity.id, &self.tag_keys)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Tells the tags of a role in pages by key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRoleTags {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListRoleTags {
    type Output = ListedTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        page::size(self.max_items)?;
        let kind = IdentityKind::Role;
        Ok(identity::on(
            Iam::ListRoleTags,
            scope,
            kind,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        let list = format!("ListRoleTags {}", self.role_name);
        let asked = (self.marker.as_deref(), self.max_items);
        tag::list(cx, permit.grant(), list, asked, move |tx, account| {
            let role = identity::named(tx, account, IdentityKind::Role, &self.role_name)?;
            Ok(role.id)
        })
        .await
    }
}
