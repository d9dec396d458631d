//! The alias of an account: `CreateAccountAlias`, `DeleteAccountAlias` and `ListAccountAliases`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{
    member,
    page::{self, Paging},
};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Fault, Result},
    operation::Operation,
    table::account,
};

const PATTERN: &str = "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$";

/// Gives the account an alias, in place of the one that it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccountAlias {
    account_alias: String,
}

impl Operation for CreateAccountAlias {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check(&self.account_alias)?;
        Ok(on_account(Iam::CreateAccountAlias, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let own = grant.registry().account();
            let alias = &self.account_alias;
            if account::aliased(tx, alias)?.is_some_and(|other| other != own.as_str()) {
                let text = format!("The account alias {alias} already exists.");
                return Err(Fault::EntityAlreadyExists.because(text));
            }
            account::set_alias(tx, own, Some(alias))?;
            account::bump(tx, own)?;
            Ok(())
        })
        .await
    }
}

/// Takes the account's alias away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteAccountAlias {
    account_alias: String,
}

impl Operation for DeleteAccountAlias {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check(&self.account_alias)?;
        Ok(on_account(Iam::DeleteAccountAlias, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let own = grant.registry().account();
            if account::alias(tx, own)?.as_ref() != Some(&self.account_alias) {
                let text = format!("The account alias {} cannot be found.", self.account_alias);
                return Err(Fault::NoSuchEntity.because(text));
            }
            account::set_alias(tx, own, None)?;
            account::bump(tx, own)?;
            Ok(())
        })
        .await
    }
}

/// Tells the account's alias, if it has one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccountAliases {
    marker: Option<String>,
    max_items: Option<i64>,
}

/// At most one alias.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedAccountAliases {
    account_aliases: Vec<String>,
    is_truncated: bool,
}

impl Operation for ListAccountAliases {
    type Output = ListedAccountAliases;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        Ok(on_account(Iam::ListAccountAliases, scope))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedAccountAliases> {
        // The one page is the last, so that no marker is one.
        Paging::<String>::new(cx.core, "", self.marker.as_deref(), None)?;
        let alias = cx
            .read(permit.grant(), |tx, grant| {
                Ok(account::alias(tx, grant.registry().account())?)
            })
            .await?;
        Ok(ListedAccountAliases {
            account_aliases: alias.into_iter().collect(),
            is_truncated: false,
        })
    }
}

fn on_account(action: Iam, scope: &Scope) -> Needs {
    let account = scope.registry.account();
    let arn = "*".to_owned();
    Needs::one(action, Resource::Account { account, arn })
}

fn check(alias: &str) -> Result<()> {
    const MEMBER: &str = "accountAlias";
    member::length(MEMBER, alias, 3, 63)?;
    let fits = !alias.starts_with('-')
        && !alias.ends_with('-')
        && !alias.contains("--")
        && alias
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    member::pattern(MEMBER, alias, fits, PATTERN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_words_joined_by_hyphens() {
        for good in ["abc", "a-b", "team-1", &"a".repeat(63)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "-ab",
            "ab-",
            "a--b",
            "Abc",
            "a.b",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
