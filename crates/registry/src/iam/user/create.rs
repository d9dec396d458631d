//! `CreateUser`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{User, taken};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        boundary, id,
        identity::IdentityKind,
        member, quota,
        tag::{self, Tag},
    },
    operation::Operation,
    table::{
        account,
        identity::{self, Identity},
        identity_tag, user,
    },
};

/// Makes a user, who has no credentials and may do nothing yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateUser {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    tags: Option<Vec<Tag>>,
}

/// The new user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedUser {
    user: User,
}

impl Operation for CreateUser {
    type Output = CreatedUser;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        member::name("userName", &self.user_name, member::MAX_PRINCIPAL_NAME)?;
        let path = member::path("path", self.path.as_deref())?;
        let tags = tag::read(self.tags.as_ref())?;
        let account = scope.registry.account();
        let arn = IdentityKind::User.arn(account, path, &self.user_name);
        let mut needs = Needs::one(Iam::CreateUser, Resource::Account { account, arn });
        if let Some(boundary) = &self.permissions_boundary {
            member::arn("permissionsBoundary", boundary)?;
            needs = needs.with("iam:PermissionsBoundary", [boundary]);
        }
        Ok(if tags.is_empty() {
            needs
        } else {
            tag::requested(needs.and(Iam::TagUser), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedUser> {
        let seed = cx.core.fresh();
        let tags = tag::read(self.tags.as_ref())?;
        let user = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                quota::check("UsersPerAccount", user::count(tx, account)?, quota::USERS)?;
                if let Some(boundary) = &self.permissions_boundary {
                    boundary::check(tx, account, boundary)?;
                }
                let row = Identity {
                    id: id::unique(id::USER, seed.as_bytes()),
                    name: self.user_name.clone(),
                    path: self.path.clone().unwrap_or_else(|| "/".to_owned()),
                    created_at: tx.now(),
                    boundary: self.permissions_boundary.clone(),
                };
                if !identity::insert_principal(tx, account, IdentityKind::User, &row)? {
                    return Err(taken(&row.name));
                }
                identity_tag::put(tx, &row.id, &tags)?;
                account::bump(tx, account)?;
                User::whole(tx, account, row)
            })
            .await?;
        Ok(CreatedUser { user })
    }
}
