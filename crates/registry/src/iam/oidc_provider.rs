//! OpenID Connect providers that an account trusts to vouch for those who assume its roles.

mod client_id;
mod create;
mod delete;
mod get;
mod tags;
mod thumbprint;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::Arn};

pub use self::{
    client_id::{AddClientIDToOpenIDConnectProvider, RemoveClientIDFromOpenIDConnectProvider},
    create::CreateOpenIDConnectProvider,
    delete::DeleteOpenIDConnectProvider,
    get::{GetOpenIDConnectProvider, ListOpenIDConnectProviders},
    tags::{ListOpenIDConnectProviderTags, TagOpenIDConnectProvider, UntagOpenIDConnectProvider},
    thumbprint::UpdateOpenIDConnectProviderThumbprint,
};
use super::member;
use crate::{
    authz::{Iam, Needs, Resource},
    error::{Error, Fault, Result},
    table::oidc_provider::{self, OidcProvider},
};

/// The most client ids of a provider.
const MAX_CLIENT_IDS: usize = 100;
const MAX_CLIENT_ID: usize = 255;
const MAX_THUMBPRINTS: usize = 5;
/// A SHA-1 fingerprint in hexadecimal.
const THUMBPRINT: usize = 40;

/// `action` on the provider that an input names.
fn on(action: Iam, arn: &str) -> Result<Needs> {
    member::arn("openIDConnectProviderArn", arn)?;
    let parsed: Option<Arn> = arn.parse().ok();
    let account = parsed.and_then(|arn| {
        let is_provider = arn.service() == "iam" && arn.resource().starts_with("oidc-provider/");
        arn.account_id().filter(|_| is_provider)
    });
    let account =
        account.ok_or_else(|| Fault::InvalidInput.because(format!("Invalid ARN: {arn}")))?;
    let arn = arn.to_owned();
    Ok(Needs::one(action, Resource::Account { account, arn }))
}

/// Returns the provider that an input names, which the permit found to be of the caller's account.
fn named(tx: &mut dyn Tx, arn: &str) -> Result<OidcProvider> {
    oidc_provider::by_arn(tx, arn)?.ok_or_else(|| not_found(arn))
}

fn not_found(arn: &str) -> Error {
    Fault::NoSuchEntity.because(format!("OpenIDConnect Provider not found for arn {arn}"))
}

fn arn_of(account: AccountId, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{url}")
}

fn check_client_id(client_id: &str) -> Result<()> {
    member::length("clientID", client_id, 1, MAX_CLIENT_ID)
}

fn check_client_ids(count: usize) -> Result<()> {
    if count <= MAX_CLIENT_IDS {
        return Ok(());
    }
    Err(Fault::LimitExceeded.because(format!(
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENT_IDS}"
    )))
}

fn check_thumbprints(thumbprints: &[String]) -> Result<()> {
    for thumbprint in thumbprints {
        member::length("thumbprintList.member", thumbprint, THUMBPRINT, THUMBPRINT)?;
        if !thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Fault::InvalidInput.because("Thumbprint must be in hexadecimal."));
        }
    }
    if thumbprints.len() > MAX_THUMBPRINTS {
        return Err(
            Fault::InvalidInput.because("Thumbprint list must contain fewer than 5 entries.")
        );
    }
    Ok(())
}
