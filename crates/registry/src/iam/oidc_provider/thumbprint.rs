//! `UpdateOpenIDConnectProviderThumbprint`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{check_thumbprints, named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::{account, oidc_provider},
};

/// Replaces a provider's thumbprints. They are kept and told; whom to trust is up to the certificates.
#[derive(Debug, Deserialize)]
pub struct UpdateOpenIDConnectProviderThumbprint {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
}

impl Operation for UpdateOpenIDConnectProviderThumbprint {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        check_thumbprints(&self.thumbprints)?;
        on(Iam::UpdateOpenIDConnectProviderThumbprint, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let mut provider = named(tx, &self.arn)?;
            provider.thumbprints.clone_from(&self.thumbprints);
            oidc_provider::update(tx, &provider)?;
            account::bump(tx, grant.registry().account())?;
            Ok(())
        })
        .await
    }
}
