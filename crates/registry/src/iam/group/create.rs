//! `CreateGroup`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{Group, check_name, taken};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    iam::{id, identity::IdentityKind, member, quota},
    operation::Operation,
    table::{account, group, identity::Identity},
};

/// Makes a group that nobody is in yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateGroup {
    group_name: String,
    path: Option<String>,
}

/// The new group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedGroup {
    group: Group,
}

impl Operation for CreateGroup {
    type Output = CreatedGroup;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.group_name)?;
        let path = member::path("path", self.path.as_deref())?;
        let account = scope.registry.account();
        let arn = IdentityKind::Group.arn(account, path, &self.group_name);
        let resource = Resource::Account { account, arn };
        Ok(Needs::one(Iam::CreateGroup, resource))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedGroup> {
        let seed = cx.core.fresh();
        let group = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let count = group::count(tx, account)?;
                quota::check("GroupsPerAccount", count, quota::GROUPS)?;
                let row = Identity {
                    id: id::unique(id::GROUP, seed.as_bytes()),
                    name: self.group_name.clone(),
                    path: self.path.clone().unwrap_or_else(|| "/".to_owned()),
                    created_at: tx.now(),
                    boundary: None,
                };
                if !group::insert(tx, account, &row)? {
                    return Err(taken(&row.name));
                }
                account::bump(tx, account)?;
                Ok(Group::new(account, row))
            })
            .await?;
        Ok(CreatedGroup { group })
    }
}
