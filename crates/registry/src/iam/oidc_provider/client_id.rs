//! `AddClientIDToOpenIDConnectProvider` and `RemoveClientIDFromOpenIDConnectProvider`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{check_client_id, check_client_ids, named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::{account, oidc_provider},
};

/// Makes an audience good for a provider's tokens; one that is stays so.
#[derive(Debug, Deserialize)]
pub struct AddClientIDToOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "ClientID")]
    client_id: String,
}

impl Operation for AddClientIDToOpenIDConnectProvider {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        check_client_id(&self.client_id)?;
        on(Iam::AddClientIDToOpenIDConnectProvider, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let mut provider = named(tx, &self.arn)?;
            if !provider.client_ids.contains(&self.client_id) {
                provider.client_ids.push(self.client_id.clone());
            }
            check_client_ids(provider.client_ids.len())?;
            oidc_provider::update(tx, &provider)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}

/// Makes an audience bad for a provider's tokens; one that is stays so.
#[derive(Debug, Deserialize)]
pub struct RemoveClientIDFromOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "ClientID")]
    client_id: String,
}

impl Operation for RemoveClientIDFromOpenIDConnectProvider {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        check_client_id(&self.client_id)?;
        on(Iam::RemoveClientIDFromOpenIDConnectProvider, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let mut provider = named(tx, &self.arn)?;
            provider.client_ids.retain(|other| *other != self.client_id);
            oidc_provider::update(tx, &provider)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}
