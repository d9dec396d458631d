//! `GetAuthorizationToken` of ECR Public.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    token::Password,
};

/// Makes a password to push to public registries with (`behaviour.md` section 3.2), good for 12 hours or as long as the
/// caller's session. It is good for nothing else, as ECR's is not for these.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GetAuthorizationToken {}

/// One token, whatever registry it is used for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationToken {
    authorization_data: AuthorizationData,
}

/// A token, which is not printed, and when it ends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
}

impl fmt::Debug for AuthorizationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationData")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Operation for GetAuthorizationToken {
    type Output = AuthorizationToken;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let registry = Resource::Registry(scope.registry);
        Ok(Needs::one(EcrPublic::GetAuthorizationToken, registry).and(Sts::GetServiceBearerToken))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AuthorizationToken> {
        let grants = permit.grants().cloned().collect();
        let now = cx.read_all(grants, |tx, _| Ok(tx.now())).await?;
        let password = Password::of_caller(cx, &cx.scope.registry, now)?;
        Ok(AuthorizationToken {
            authorization_data: AuthorizationData {
                authorization_token: password.authorization_token,
                expires_at: password.expires_at,
            },
        })
    }
}
