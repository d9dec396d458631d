//! Permissions boundaries of users and roles: a managed policy beyond which no other policy of theirs grants anything.

use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{
    identity::{self, IdentityKind, check_name},
    managed_policy::{self, Found},
    member,
};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    operation::Operation,
    table::{account, identity as table},
};

/// The managed policy that bounds a user or role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PermissionsBoundary {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl PermissionsBoundary {
    /// Tells the boundary of that ARN.
    pub(crate) fn new(arn: String) -> Self {
        Self {
            permissions_boundary_type: "PermissionsBoundaryPolicy",
            permissions_boundary_arn: arn,
        }
    }
}

/// Fails unless the policy of that ARN exists and may bound a user or role of `account`.
pub(crate) fn check(tx: &mut dyn Tx, account: AccountId, arn: &str) -> Result<()> {
    match managed_policy::find(tx, account, arn)? {
        Some(Found::Aws(policy)) if policy.is_service_linked() => Err(Fault::PolicyNotAttachable
            .because("Cannot attach a Service Role Policy to a Customer Role.")),
        Some(_) => Ok(()),
        None => Err(Fault::NoSuchEntity.because(format!(
            "Scope ARN: {arn} does not exist or is not attachable."
        ))),
    }
}

macro_rules! puts {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            permissions_boundary: String,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                member::arn("permissionsBoundary", &self.permissions_boundary)?;
                let needs = identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name);
                Ok(needs.with("iam:PermissionsBoundary", [&self.permissions_boundary]))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
                    let account = grant.registry().account();
                    let kind = IdentityKind::$kind;
                    let holder = identity::changeable(tx, account, kind, &self.$name)?;
                    check(tx, account, &self.permissions_boundary)?;
                    table::set_boundary(tx, &holder.id, Some(&self.permissions_boundary))?;
                    account::bump(tx, account)?;
                    Ok(())
                })
                .await
            }
        })*
    };
}

puts! {
    /// Bounds a user by a managed policy, in place of the one before.
    PutUserPermissionsBoundary of User by user_name;
    /// Bounds a role by a managed policy, in place of the one before.
    PutRolePermissionsBoundary of Role by role_name;
}

macro_rules! deletes {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
                    let account = grant.registry().account();
                    let kind = IdentityKind::$kind;
                    let holder = identity::changeable(tx, account, kind, &self.$name)?;
                    table::set_boundary(tx, &holder.id, None)?;
                    account::bump(tx, account)?;
                    Ok(())
                })
                .await
            }
        })*
    };
}

deletes! {
    /// Takes the boundary of a user away, if it has one.
    DeleteUserPermissionsBoundary of User by user_name;
    /// Takes the boundary of a role away, if it has one.
    DeleteRolePermissionsBoundary of Role by role_name;
}
