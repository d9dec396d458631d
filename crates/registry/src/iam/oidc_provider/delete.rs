//! `DeleteOpenIDConnectProvider`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::{account, identity_tag, oidc_provider},
};

/// Makes an account trust a provider no more.
#[derive(Debug, Deserialize)]
pub struct DeleteOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
}

impl Operation for DeleteOpenIDConnectProvider {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        on(Iam::DeleteOpenIDConnectProvider, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let provider = named(tx, &self.arn)?;
            identity_tag::clear(tx, &provider.arn)?;
            oidc_provider::delete(tx, &provider.arn)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}
