//! Managed policies of users, groups and roles: attaching, detaching and listing them, each for the three kinds.

use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{
    identity::{self, IdentityKind, check_name},
    managed_policy::{self, Found},
    member,
    page::{self, Page, Paging},
    quota,
};
use crate::{
    authz::{Grant, Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    operation::Operation,
    table::{account, attachment},
};

/// Declares the operations that attach and detach a policy, for one kind each.
macro_rules! changes {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident: $change:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            policy_arn: String,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                member::arn("policyArn", &self.policy_arn)?;
                check_name(IdentityKind::$kind, &self.$name)?;
                let needs = identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name);
                Ok(needs.with("iam:PolicyARN", [&self.policy_arn]))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
                    let account = grant.registry().account();
                    $change(tx, account, IdentityKind::$kind, &self.$name, &self.policy_arn)
                })
                .await
            }
        })*
    };
}

changes! {
    /// Attaches a managed policy to a user; one that is attached stays so.
    AttachUserPolicy of User by user_name: attach;
    /// Attaches a managed policy to a group; one that is attached stays so.
    AttachGroupPolicy of Group by group_name: attach;
    /// Attaches a managed policy to a role; one that is attached stays so.
    AttachRolePolicy of Role by role_name: attach;
    /// Detaches a managed policy from a user.
    DetachUserPolicy of User by user_name: detach;
    /// Detaches a managed policy from a group.
    DetachGroupPolicy of Group by group_name: detach;
    /// Detaches a managed policy from a role.
    DetachRolePolicy of Role by role_name: detach;
}

fn attach(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
    arn: &str,
) -> Result<()> {
    let holder = identity::changeable(tx, account, kind, name)?;
    check_attachable(tx, account, arn)?;
    attachment::put(tx, account, &holder.id, arn)?;
    let most = quota::ATTACHED_POLICIES;
    if attachment::count(tx, &holder.id)? > most {
        let quota = format!("PoliciesPer{}", kind.title());
        return Err(
            Fault::LimitExceeded.because(format!("Cannot exceed quota for {quota}: {most}"))
        );
    }
    account::bump(tx, account)?;
    Ok(())
}

/// Fails unless the policy of that ARN exists and is for whoever wants it.
fn check_attachable(tx: &mut dyn Tx, account: AccountId, arn: &str) -> Result<()> {
    match managed_policy::find(tx, account, arn)? {
        Some(Found::Aws(policy)) if policy.is_service_linked() => Err(Fault::PolicyNotAttachable
            .because("Cannot attach a Service Role Policy to a Customer Role.")),
        Some(_) => Ok(()),
        None => Err(Fault::NoSuchEntity
            .because(format!("Policy {arn} does not exist or is not attachable."))),
    }
}

fn detach(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
    arn: &str,
) -> Result<()> {
    let holder = identity::changeable(tx, account, kind, name)?;
    if !attachment::remove(tx, &holder.id, arn)? {
        return Err(Fault::NoSuchEntity.because(format!("Policy {arn} was not found.")));
    }
    account::bump(tx, account)?;
    Ok(())
}

/// Declares the operations that list what is attached, for one kind each.
macro_rules! lists {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            path_prefix: Option<String>,
            marker: Option<String>,
            max_items: Option<i64>,
        }

        impl Operation for $operation {
            type Output = ListedAttachments;

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
                page::size(self.max_items)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedAttachments> {
                let prefix = self.path_prefix.unwrap_or_else(|| "/".to_owned());
                let of = (IdentityKind::$kind, self.$name);
                list(cx, permit.grant(), of, prefix, (self.marker, self.max_items)).await
            }
        })*
    };
}

lists! {
    /// Tells the managed policies of a user in pages by ARN; not those of its groups.
    ListAttachedUserPolicies of User by user_name;
    /// Tells the managed policies of a group in pages by ARN.
    ListAttachedGroupPolicies of Group by group_name;
    /// Tells the managed policies of a role in pages by ARN.
    ListAttachedRolePolicies of Role by role_name;
}

/// Policies, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedAttachments {
    attached_policies: Vec<AttachedPolicy>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// A policy that is attached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

impl AttachedPolicy {
    /// Tells the policy of that ARN.
    pub(crate) fn new(arn: String) -> Self {
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            policy_name: name,
            policy_arn: arn,
        }
    }
}

async fn list(
    cx: &Cx<'_>,
    grant: &Grant,
    (kind, name): (IdentityKind, String),
    prefix: String,
    (marker, max_items): (Option<String>, Option<i64>),
) -> Result<ListedAttachments> {
    let account = grant.registry().account();
    let list = format!("ListAttachedPolicies {account} {kind:?} {name} {prefix}");
    let paging: Paging<String> = Paging::new(cx.core, &list, marker.as_deref(), max_items)?;
    let after = paging.after.clone().unwrap_or_default();
    // Their number is bounded, so that all are read.
    let arns = cx
        .read(grant, move |tx, _| {
            let holder = identity::named(tx, account, kind, &name)?;
            Ok::<_, Error>(attachment::of(tx, &holder.id)?)
        })
        .await?;
    let wanted = arns
        .into_iter()
        .filter(|arn| *arn > after && path_of(arn).starts_with(&prefix));
    let Page {
        rows,
        is_truncated,
        marker,
    } = paging.page(cx.core, wanted.collect(), Clone::clone)?;
    Ok(ListedAttachments {
        attached_policies: rows.into_iter().map(AttachedPolicy::new).collect(),
        is_truncated,
        marker,
    })
}

/// The path of a policy with its name: what stands after `policy` in the ARN.
fn path_of(arn: &str) -> &str {
    arn.split_once(":policy").map_or("", |(_, path)| path)
}
