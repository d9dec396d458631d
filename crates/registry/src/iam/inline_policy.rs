//! Policies that belong to one user, group or role: putting, getting, deleting and listing them, each for the three kinds.

use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{
    document,
    identity::{self, IdentityKind, check_name},
    member,
    page::{self, Page, Paging},
    quota,
};
use crate::{
    authz::{Grant, Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    operation::Operation,
    table::{account, inline_policy},
};

/// The most bytes of all policies of one holder with their white space, which IAM does not count.
const MAX_LENGTH: usize = 256 * 1024;

fn check_policy_name(name: &str) -> Result<()> {
    member::name("policyName", name, member::MAX_NAME)
}

fn not_found(kind: IdentityKind, policy: &str) -> Error {
    Fault::NoSuchEntity.because(format!(
        "The {} policy with name {policy} cannot be found.",
        kind.as_str()
    ))
}

macro_rules! puts {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            policy_name: String,
            policy_document: String,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                check_policy_name(&self.policy_name)?;
                document::check_identity("policyDocument", &self.policy_document)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
                    let account = grant.registry().account();
                    let policy = (self.policy_name.as_str(), self.policy_document.as_str());
                    put(tx, account, IdentityKind::$kind, &self.$name, policy)
                })
                .await
            }
        })*
    };
}

puts! {
    /// Adds a policy of its own to a user or replaces the one of that name.
    PutUserPolicy of User by user_name;
    /// Adds a policy of its own to a group or replaces the one of that name.
    PutGroupPolicy of Group by group_name;
    /// Adds a policy of its own to a role or replaces the one of that name.
    PutRolePolicy of Role by role_name;
}

fn put(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
    (policy, document): (&str, &str),
) -> Result<()> {
    let holder = identity::changeable(tx, account, kind, name)?;
    inline_policy::put(tx, &holder.id, policy, document)?;
    let most = match kind {
        IdentityKind::User => quota::USER_POLICY_SIZE,
        IdentityKind::Group => quota::GROUP_POLICY_SIZE,
        IdentityKind::Role => quota::ROLE_POLICY_SIZE,
    };
    let all = inline_policy::all(tx, &holder.id)?;
    let documents = all.iter().map(|(_, document)| document);
    let size: i64 = documents
        .clone()
        .map(|document| document::size(document))
        .sum();
    let length: usize = documents.map(String::len).sum();
    if size > most || length > MAX_LENGTH {
        return Err(Fault::LimitExceeded.because(format!(
            "Maximum policy size of {most} bytes exceeded for {} {}",
            kind.as_str(),
            holder.name
        )));
    }
    account::bump(tx, account)?;
    Ok(())
}

macro_rules! gets {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident: $output:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            policy_name: String,
        }

        /// The policy with whom it belongs to.
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $output {
            $name: String,
            policy_name: String,
            policy_document: String,
        }

        impl Operation for $operation {
            type Output = $output;

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                check_policy_name(&self.policy_name)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<$output> {
                let policy_name = self.policy_name.clone();
                let of = (IdentityKind::$kind, self.$name);
                let ($name, document) = get(cx, permit.grant(), of, self.policy_name).await?;
                Ok($output {
                    $name,
                    policy_name,
                    policy_document: document::encoded(&document),
                })
            }
        })*
    };
}

gets! {
    /// Tells a user's own policy.
    GetUserPolicy of User by user_name: UserPolicy;
    /// Tells a group's own policy.
    GetGroupPolicy of Group by group_name: GroupPolicy;
    /// Tells a role's own policy.
    GetRolePolicy of Role by role_name: RolePolicy;
}

/// Returns the holder's name and the document.
async fn get(
    cx: &Cx<'_>,
    grant: &Grant,
    (kind, name): (IdentityKind, String),
    policy: String,
) -> Result<(String, String)> {
    cx.read(grant, move |tx, grant| {
        let holder = identity::named(tx, grant.registry().account(), kind, &name)?;
        let document = inline_policy::get(tx, &holder.id, &policy)?;
        let document = document.ok_or_else(|| not_found(kind, &policy))?;
        Ok((holder.name, document))
    })
    .await
}

macro_rules! deletes {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            policy_name: String,
        }

        impl Operation for $operation {
            type Output = ();

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                check_policy_name(&self.policy_name)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
                cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
                    let account = grant.registry().account();
                    let kind = IdentityKind::$kind;
                    let holder = identity::changeable(tx, account, kind, &self.$name)?;
                    if !inline_policy::remove(tx, &holder.id, &self.policy_name)? {
                        return Err(not_found(kind, &self.policy_name));
                    }
                    account::bump(tx, account)?;
                    Ok(())
                })
                .await
            }
        })*
    };
}

deletes! {
    /// Deletes a user's own policy.
    DeleteUserPolicy of User by user_name;
    /// Deletes a group's own policy.
    DeleteGroupPolicy of Group by group_name;
    /// Deletes a role's own policy.
    DeleteRolePolicy of Role by role_name;
}

macro_rules! lists {
    ($($(#[$doc:meta])* $operation:ident of $kind:ident by $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $operation {
            $name: String,
            marker: Option<String>,
            max_items: Option<i64>,
        }

        impl Operation for $operation {
            type Output = ListedPolicyNames;

            fn needs(&self, scope: &Scope) -> Result<Needs> {
                check_name(IdentityKind::$kind, &self.$name)?;
                page::size(self.max_items)?;
                Ok(identity::on(Iam::$operation, scope, IdentityKind::$kind, &self.$name))
            }

            async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedPolicyNames> {
                let of = (IdentityKind::$kind, self.$name);
                list(cx, permit.grant(), of, (self.marker, self.max_items)).await
            }
        })*
    };
}

lists! {
    /// Tells the names of a user's own policies in pages by name.
    ListUserPolicies of User by user_name;
    /// Tells the names of a group's own policies in pages by name.
    ListGroupPolicies of Group by group_name;
    /// Tells the names of a role's own policies in pages by name.
    ListRolePolicies of Role by role_name;
}

/// Names, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedPolicyNames {
    policy_names: Vec<String>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

async fn list(
    cx: &Cx<'_>,
    grant: &Grant,
    (kind, name): (IdentityKind, String),
    (marker, max_items): (Option<String>, Option<i64>),
) -> Result<ListedPolicyNames> {
    let account = grant.registry().account();
    let list = format!("ListPolicies {account} {kind:?} {name}");
    let paging: Paging<String> = Paging::new(cx.core, &list, marker.as_deref(), max_items)?;
    let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
    let names = cx
        .read(grant, move |tx, _| {
            let holder = identity::named(tx, account, kind, &name)?;
            Ok::<_, Error>(inline_policy::names(tx, &holder.id, &after, limit)?)
        })
        .await?;
    let Page {
        rows,
        is_truncated,
        marker,
    } = paging.page(cx.core, names, Clone::clone)?;
    Ok(ListedPolicyNames {
        policy_names: rows,
        is_truncated,
        marker,
    })
}
