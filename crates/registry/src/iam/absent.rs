//! Lists of what nobody can have here: devices, certificates, passwords and keys for other services. They are read
//! before users and roles are deleted; no operation makes any, so that each is empty as long as its user or role is there.

use serde::{Deserialize, Serialize};

use super::{
    holder,
    identity::{self, IdentityKind},
    member,
    page::Paging,
    role,
};
use crate::{
    authz::{Grant, Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::page,
    operation::Operation,
};

/// Nothing of a kind: the type of the items of a list that stays empty.
#[derive(Debug, Serialize)]
enum Never {}

macro_rules! of_user {
    ($($(#[$meta:meta])* $operation:ident -> $output:ident { $list:literal })*) => { $(
        $(#[$meta])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            user_name: Option<String>,
            marker: Option<String>,
            max_items: Option<i64>,
        }

        /// None, and no more of them.
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $output {
            #[serde(rename = $list)]
            list: Vec<Never>,
            is_truncated: bool,
        }

        impl Operation for $operation {
            type Output = $output;

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                page::size(self.max_items)?;
                holder::on(Iam::$operation, scope, self.user_name.as_deref())
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<$output> {
                check_marker(cx, self.marker.as_deref())?;
                check_user(cx, permit.grant(), self.user_name).await?;
                Ok($output { list: Vec::new(), is_truncated: false })
            }
        }
    )* };
}

of_user! {
    /// Tells the MFA devices of a user.
    ListMFADevices -> ListedMfaDevices { "MFADevices" }
    /// Tells the SSH keys of a user for `CodeCommit`.
    ListSSHPublicKeys -> ListedSshPublicKeys { "SSHPublicKeys" }
    /// Tells the signing certificates of a user.
    ListSigningCertificates -> ListedCertificates { "Certificates" }
    /// Tells the credentials of a user for services that have their own.
    ListServiceSpecificCredentials -> ListedCredentials { "ServiceSpecificCredentials" }
}

/// Tells the virtual MFA devices of the account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListVirtualMFADevices {
    assignment_status: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// None, and no more of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedVirtualMfaDevices {
    #[serde(rename = "VirtualMFADevices")]
    list: Vec<Never>,
    is_truncated: bool,
}

impl Operation for ListVirtualMFADevices {
    type Output = ListedVirtualMfaDevices;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let words = ["Assigned", "Unassigned", "Any"];
        member::one_of(
            "assignmentStatus",
            self.assignment_status.as_deref(),
            &words,
        )?;
        page::size(self.max_items)?;
        let account = scope.registry.account();
        let arn = format!("arn:aws:iam::{account}:mfa/");
        let resource = Resource::Account { account, arn };
        Ok(Needs::one(Iam::ListVirtualMFADevices, resource))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedVirtualMfaDevices> {
        check_marker(cx, self.marker.as_deref())?;
        cx.read(permit.grant(), |_, _| Ok(())).await?;
        Ok(ListedVirtualMfaDevices {
            list: Vec::new(),
            is_truncated: false,
        })
    }
}

/// Tells the instance profiles that a role is in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInstanceProfilesForRole {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// None, and no more of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedInstanceProfiles {
    #[serde(rename = "InstanceProfiles")]
    list: Vec<Never>,
    is_truncated: bool,
}

impl Operation for ListInstanceProfilesForRole {
    type Output = ListedInstanceProfiles;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        role::check_name(&self.role_name)?;
        Ok(identity::on(
            Iam::ListInstanceProfilesForRole,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedInstanceProfiles> {
        check_marker(cx, self.marker.as_deref())?;
        cx.read(permit.grant(), move |tx, grant| {
            let account = grant.registry().account();
            identity::named(tx, account, IdentityKind::Role, &self.role_name)
        })
        .await?;
        Ok(ListedInstanceProfiles {
            list: Vec::new(),
            is_truncated: false,
        })
    }
}

macro_rules! password {
    ($($(#[$meta:meta])* $operation:ident)*) => { $(
        $(#[$meta])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            user_name: Option<String>,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                holder::on(Iam::$operation, scope, self.user_name.as_deref())
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                let name = check_user(cx, permit.grant(), self.user_name).await?;
                let name = name.unwrap_or_else(|| "root".to_owned());
                let text = format!("Login Profile for User {name} cannot be found.");
                Err(Fault::NoSuchEntity.because(text))
            }
        }
    )* };
}

password! {
    /// Tells the password of a user for the console: none, whoever it is.
    GetLoginProfile
    /// Takes a password for the console away: there is none, whoever it is.
    DeleteLoginProfile
}

/// Fails unless there is such a user; returns its name, which the root has not.
async fn check_user(
    cx: &Cx<'_>,
    grant: &Grant,
    user_name: Option<String>,
) -> Result<Option<String>> {
    let caller = holder::caller(cx);
    cx.read(grant, move |tx, grant| {
        let account = grant.registry().account();
        let holder = holder::find(tx, account, user_name.as_deref(), caller.as_deref())?;
        Ok(holder.name())
    })
    .await
}

/// No list of these ever goes on, so that no marker is one.
fn check_marker(cx: &Cx<'_>, marker: Option<&str>) -> Result<()> {
    Paging::<String>::new(cx.core, "", marker, None).map(drop)
}
