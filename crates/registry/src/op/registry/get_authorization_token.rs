//! `GetAuthorizationToken`.

use std::fmt;

use longshore_types::{
    account::{AccountId, Registry},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    member::{Member, check_length},
    operation::Operation,
    token::Password,
};

/// The most registries that one call may name.
const MAX_REGISTRIES: usize = 10;

/// Makes a password that Docker and other clients log in with, good for 12 hours or as long as the caller's session.
///
/// The token stands for the caller and is good wherever the caller is allowed, whatever `registryIds` says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetAuthorizationToken {
    registry_ids: Option<Vec<Member<AccountId>>>,
}

/// One token per registry asked for, or one for the caller's own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationTokens {
    authorization_data: Vec<AuthorizationData>,
}

/// A token, which is not printed, when it ends, and where it is for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
    proxy_endpoint: String,
}

impl fmt::Debug for AuthorizationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationData")
            .field("expires_at", &self.expires_at)
            .field("proxy_endpoint", &self.proxy_endpoint)
            .finish_non_exhaustive()
    }
}

impl Operation for GetAuthorizationToken {
    type Output = AuthorizationTokens;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.registries(scope)?;
        Ok(Needs::one(
            Ecr::GetAuthorizationToken,
            Resource::Registry(scope.registry),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AuthorizationTokens> {
        let now = cx.read(permit.grant(), |tx, _| Ok(tx.now())).await?;
        let Some(named) = self.registries(&cx.scope)? else {
            let registry = &cx.scope.registry;
            let endpoint = cx.endpoints.proxy_endpoint(registry);
            return Ok(AuthorizationTokens {
                authorization_data: vec![authorization(cx, registry, endpoint, now)?],
            });
        };
        let named = named.iter().map(|registry| {
            let endpoint = cx.endpoints.ecr_proxy_endpoint(registry);
            authorization(cx, registry, endpoint, now)
        });
        Ok(AuthorizationTokens {
            authorization_data: named.collect::<Result<_>>()?,
        })
    }
}

impl GetAuthorizationToken {
    /// The registries that the input names, if it names any.
    fn registries(&self, scope: &Scope) -> Result<Option<Vec<Registry>>> {
        let Some(ids) = &self.registry_ids else {
            return Ok(None);
        };
        check_length("registryIds", ids.len(), MAX_REGISTRIES)?;
        let registry = |id: &Member<AccountId>| {
            let account = id.required("registryIds")?;
            Ok(scope.registry_of(Some(account)))
        };
        ids.iter().map(registry).collect::<Result<_>>().map(Some)
    }
}

fn authorization(
    cx: &Cx<'_>,
    registry: &Registry,
    proxy_endpoint: String,
    now: Timestamp,
) -> Result<AuthorizationData> {
    let password = Password::of_caller(cx, registry, now)?;
    Ok(AuthorizationData {
        authorization_token: password.authorization_token,
        expires_at: password.expires_at,
        proxy_endpoint,
    })
}
