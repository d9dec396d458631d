//! `CreateRole`.

use longshore_policy::Policy;
use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{MIN_SESSION_SECONDS, Role, check_description, check_name, check_session_seconds};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::{
        boundary, document, id,
        identity::{IdentityKind, SERVICE_LINKED},
        member, quota,
        tag::{self, Tag},
    },
    operation::Operation,
    table::{account, identity::Identity, identity_tag, role},
};

/// Makes a role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateRole {
    role_name: String,
    path: Option<String>,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    tags: Option<Vec<Tag>>,
}

/// The new role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedRole {
    role: Role,
}

impl CreateRole {
    fn trust(&self) -> Result<Policy> {
        let document = &self.assume_role_policy_document;
        document::check_trust("assumeRolePolicyDocument", document)
    }
}

impl Operation for CreateRole {
    type Output = CreatedRole;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        let path = member::path("path", self.path.as_deref())?;
        check_description(self.description.as_ref())?;
        check_session_seconds(self.max_session_duration)?;
        document::check_trust(
            "assumeRolePolicyDocument",
            &self.assume_role_policy_document,
        )?;
        let tags = tag::read(self.tags.as_ref())?;
        if path.starts_with(SERVICE_LINKED) {
            return Err(Fault::InvalidInput
                .because(format!("Path {path} is reserved for service-linked roles")));
        }
        let account = scope.registry.account();
        let arn = IdentityKind::Role.arn(account, path, &self.role_name);
        let mut needs = Needs::one(Iam::CreateRole, Resource::Account { account, arn });
        if let Some(boundary) = &self.permissions_boundary {
            member::arn("permissionsBoundary", boundary)?;
            needs = needs.with("iam:PermissionsBoundary", [boundary]);
        }
        Ok(if tags.is_empty() {
            needs
        } else {
            tag::requested(needs.and(Iam::TagRole), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedRole> {
        let seed = cx.core.fresh();
        let (trust, tags) = (self.trust()?, tag::read(self.tags.as_ref())?);
        let role = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let count = role::count(tx, account)?;
                quota::check("RolesPerAccount", count, quota::ROLES)?;
                if let Some(boundary) = &self.permissions_boundary {
                    boundary::check(tx, account, boundary)?;
                }
                let row = role::Role {
                    identity: Identity {
                        id: id::unique(id::ROLE, seed.as_bytes()),
                        name: self.role_name.clone(),
                        path: self.path.clone().unwrap_or_else(|| "/".to_owned()),
                        created_at: tx.now(),
                        boundary: self.permissions_boundary.clone(),
                    },
                    trust: document::bind_trust(tx, &self.assume_role_policy_document, &trust)?,
                    description: self.description.clone().unwrap_or_default(),
                    max_session_seconds: self.max_session_duration.unwrap_or(MIN_SESSION_SECONDS),
                    last_used: None,
                };
                if !role::insert(tx, account, &row)? {
                    return Err(Fault::EntityAlreadyExists
                        .because(format!("Role with name {} already exists.", self.role_name)));
                }
                identity_tag::put(tx, &row.identity.id, &tags)?;
                account::bump(tx, account)?;
                Role::whole(tx, account, row)
            })
            .await?;
        Ok(CreatedRole { role })
    }
}
