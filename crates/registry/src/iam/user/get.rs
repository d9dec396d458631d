//! `GetUser`.

use longshore_types::arn::PrincipalArn;
use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::holder::{self, Holder},
    operation::Operation,
};

/// Tells one user; without a name the caller, even if that is the root of its account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetUser {
    user_name: Option<String>,
}

/// The user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotUser {
    user: User,
}

impl Operation for GetUser {
    type Output = GotUser;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        holder::on(Iam::GetUser, scope, self.user_name.as_deref())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotUser> {
        let caller = holder::caller(cx);
        let user = cx
            .read(permit.grant(), move |tx, grant| {
                let account = grant.registry().account();
                let name = self.user_name.as_deref();
                match holder::find(tx, account, name, caller.as_deref())? {
                    Holder::User(row) => User::whole(tx, account, row),
                    Holder::Root { created_at } => Ok(User {
                        path: None,
                        user_name: None,
                        user_id: account.to_string(),
                        arn: PrincipalArn::root(account).to_string(),
                        create_date: created_at,
                        permissions_boundary: None,
                        tags: Vec::new(),
                    }),
                }
            })
            .await?;
        Ok(GotUser { user })
    }
}
