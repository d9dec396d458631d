//! `UpdateRole` and the older `UpdateRoleDescription`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{Role, changeable, check_description, check_name, check_session_seconds};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::identity::{self, IdentityKind},
    operation::Operation,
    table::{account, role},
};

/// Replaces a role's description and how long its sessions last at most; without one, it stays as it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRole {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
}

/// Nothing, in an element of its own.
#[derive(Debug, Serialize)]
pub struct UpdatedRole {}

impl Operation for UpdateRole {
    type Output = UpdatedRole;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        check_description(self.description.as_ref())?;
        check_session_seconds(self.max_session_duration)?;
        let kind = IdentityKind::Role;
        Ok(identity::on(Iam::UpdateRole, scope, kind, &self.role_name))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<UpdatedRole> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let row = changeable(tx, account, &self.role_name)?;
            let description = self.description.as_ref().unwrap_or(&row.description);
            let seconds = self.max_session_duration.unwrap_or(row.max_session_seconds);
            role::update(tx, &row.identity.id, description, seconds)?;
            account::bump(tx, account)?;
            Ok(UpdatedRole {})
        })
        .await
    }
}

/// Replaces a role's description.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRoleDescription {
    role_name: String,
    description: String,
}

/// The role as it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedRole {
    role: Role,
}

impl Operation for UpdateRoleDescription {
    type Output = DescribedRole;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        check_description(Some(&self.description))?;
        Ok(identity::on(
            Iam::UpdateRoleDescription,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRole> {
        let role = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let mut row = changeable(tx, account, &self.role_name)?;
                row.description.clone_from(&self.description);
                let id = row.identity.id.clone();
                role::update(tx, &id, &row.description, row.max_session_seconds)?;
                account::bump(tx, account)?;
                Role::whole(tx, account, row)
            })
            .await?;
        Ok(DescribedRole { role })
    }
}
