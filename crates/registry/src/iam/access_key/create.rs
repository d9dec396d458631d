//! `CreateAccessKey`.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Status;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{holder, quota},
    operation::Operation,
    secret::AccessKeyPair,
    table::{access_key, account, principal},
};

/// Makes an access key. Its secret is told this once and never again.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccessKey {
    user_name: Option<String>,
}

/// The new key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedAccessKey {
    access_key: AccessKey,
}

/// A key with its secret, which is not printed.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
#[serde(rename_all = "PascalCase")]
struct AccessKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    access_key_id: String,
    status: Status,
    secret_access_key: String,
    create_date: Timestamp,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Operation for CreateAccessKey {
    type Output = CreatedAccessKey;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        holder::on(Iam::CreateAccessKey, scope, self.user_name.as_deref())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedAccessKey> {
        let caller = holder::caller(cx);
        let key = AccessKeyPair::of_user()?;
        let keys = &cx.core.keys;
        let sealed = keys
            .seal_secret(&cx.core.meta, &key.id, &key.secret)
            .await?;
        let id = key.id.clone();
        let (user_name, create_date) = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let name = self.user_name.as_deref();
                let holder = holder::find(tx, account, name, caller.as_deref())?;
                let owner = holder.id(account);
                let count = access_key::count(tx, &owner)?;
                quota::check("AccessKeysPerUser", count, quota::ACCESS_KEYS_PER_USER)?;
                let sealed = sealed.prove(tx)?;
                principal::insert_key(tx, &id, &owner, sealed)?;
                account::bump(tx, account)?;
                Ok((holder.name(), tx.now()))
            })
            .await?;
        Ok(CreatedAccessKey {
            access_key: AccessKey {
                user_name,
                access_key_id: key.id,
                status: Status::Active,
                secret_access_key: key.secret,
                create_date,
            },
        })
    }
}
