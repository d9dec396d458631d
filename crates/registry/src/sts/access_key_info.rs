//! `GetAccessKeyInfo`.

use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::access_key;
use crate::{
    authz::{Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::member,
    operation::Operation,
    table::principal,
};

/// Tells the account of an access key, whoever's it is and whether or not it is still good.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccessKeyInfo {
    access_key_id: String,
}

/// Whose an access key is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyInfo {
    account: AccountId,
}

impl Operation for GetAccessKeyInfo {
    type Output = AccessKeyInfo;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let id = &self.access_key_id;
        member::length("accessKeyId", id, 16, 128)?;
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        member::pattern("accessKeyId", id, id.chars().all(fits), r"[\w]*")?;
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Sts::GetAccessKeyInfo,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AccessKeyInfo> {
        let id = self.access_key_id;
        let found = cx
            .read(permit.grant(), move |tx, _| {
                match access_key::account(&id) {
                    Some(account) => Ok(Some(account)),
                    None => Ok(principal::account_of_key(tx, &id)?),
                }
            })
            .await?;
        let unknown = || Fault::Validation.because("The access key ID is not valid.");
        Ok(AccessKeyInfo {
            account: found.ok_or_else(unknown)?,
        })
    }
}
