//! `GetAccessKeyLastUsed`.

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{check_id, not_found};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::access_key::{self, LastUse},
};

/// Tells when a key of the account was used last.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccessKeyLastUsed {
    access_key_id: String,
}

/// Whose the key is, and its last use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyLastUsed {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    access_key_last_used: Used,
}

/// The last use; of a key that was never used, AWS tells `N/A`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Used {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_date: Option<Timestamp>,
    service_name: String,
    region: String,
}

impl Operation for GetAccessKeyLastUsed {
    type Output = AccessKeyLastUsed;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_id(&self.access_key_id)?;
        let account = scope.registry.account();
        let id = self.access_key_id.clone();
        let resource = Resource::AccessKey { account, id };
        Ok(Needs::one(Iam::GetAccessKeyLastUsed, resource))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AccessKeyLastUsed> {
        let LastUse { user, used } = cx
            .read(permit.grant(), move |tx, grant| {
                let account = grant.registry().account();
                access_key::last_use(tx, account, &self.access_key_id)?
                    .ok_or_else(|| not_found(&self.access_key_id))
            })
            .await?;
        let access_key_last_used = match used {
            Some(used) => Used {
                last_used_date: Some(used.at),
                service_name: used.service,
                region: used.region,
            },
            None => Used {
                last_used_date: None,
                service_name: "N/A".to_owned(),
                region: "N/A".to_owned(),
            },
        };
        Ok(AccessKeyLastUsed {
            user_name: Some(user).filter(|user| !user.is_empty()),
            access_key_last_used,
        })
    }
}
