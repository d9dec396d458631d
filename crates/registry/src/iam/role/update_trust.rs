//! `UpdateAssumeRolePolicy`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{changeable, check_name};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        document,
        identity::{self, IdentityKind},
    },
    operation::Operation,
    table::{account, role},
};

/// Replaces a role's trust policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAssumeRolePolicy {
    role_name: String,
    policy_document: String,
}

impl Operation for UpdateAssumeRolePolicy {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        document::check_trust("policyDocument", &self.policy_document)?;
        Ok(identity::on(
            Iam::UpdateAssumeRolePolicy,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let trust = document::check_trust("policyDocument", &self.policy_document)?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let row = changeable(tx, account, &self.role_name)?;
            let trust = document::bind_trust(tx, &self.policy_document, &trust)?;
            role::set_trust(tx, &row.identity.id, &trust)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}
