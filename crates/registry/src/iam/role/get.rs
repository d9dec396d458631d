//! `GetRole`.

use serde::{Deserialize, Serialize};

use super::{Role, check_name, find};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::identity::{self, IdentityKind},
    operation::Operation,
};

/// Tells one role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRole {
    role_name: String,
}

/// The role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotRole {
    role: Role,
}

impl Operation for GetRole {
    type Output = GotRole;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        Ok(identity::on(
            Iam::GetRole,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotRole> {
        let role = cx
            .read(permit.grant(), move |tx, grant| {
                let account = grant.registry().account();
                let row = find(tx, account, &self.role_name)?;
                Role::whole(tx, account, row)
            })
            .await?;
        Ok(GotRole { role })
    }
}
