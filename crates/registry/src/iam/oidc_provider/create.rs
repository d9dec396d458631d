//! `CreateOpenIDConnectProvider`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::{arn_of, check_client_id, check_client_ids, check_thumbprints};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::{
        member, quota,
        tag::{self, Tag},
    },
    operation::Operation,
    table::{
        account, identity_tag,
        oidc_provider::{self, OidcProvider},
    },
};

const MAX_URL: usize = 255;

/// Makes an account trust a provider. Whether it is there is asked when a token of it comes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateOpenIDConnectProvider {
    url: String,
    #[serde(rename = "ClientIDList", default)]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList", default)]
    thumbprints: Vec<String>,
    tags: Option<Vec<Tag>>,
}

/// The new provider's ARN and tags.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    tags: Vec<Tag>,
}

impl CreateOpenIDConnectProvider {
    /// The issuer without its scheme.
    fn issuer(&self) -> Result<&str> {
        member::length("url", &self.url, 1, MAX_URL)?;
        let issuer = self.url.strip_prefix("https://");
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-._~/:%".contains(letter);
        issuer
            .filter(|issuer| {
                let host = issuer.split('/').next().unwrap_or_default();
                !host.is_empty() && !host.contains('%') && issuer.chars().all(is_part)
            })
            .ok_or_else(|| Fault::Validation.because("Invalid Open ID Connect Provider URL"))
    }
}

impl Operation for CreateOpenIDConnectProvider {
    type Output = CreatedProvider;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let account = scope.registry.account();
        let arn = arn_of(account, self.issuer()?);
        for client_id in &self.client_ids {
            check_client_id(client_id)?;
        }
        check_client_ids(self.client_ids.len())?;
        check_thumbprints(&self.thumbprints)?;
        let tags = tag::read(self.tags.as_ref())?;
        let resource = Resource::Account { account, arn };
        let needs = Needs::one(Iam::CreateOpenIDConnectProvider, resource);
        Ok(if tags.is_empty() {
            needs
        } else {
            tag::requested(needs.and(Iam::TagOpenIDConnectProvider), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedProvider> {
        let account = permit.grant().registry().account();
        let url = self.issuer()?.to_owned();
        let arn = arn_of(account, &url);
        let tags = tag::read(self.tags.as_ref())?;
        let created = CreatedProvider {
            arn: arn.clone(),
            tags: Tag::all(tags.clone()),
        };
        cx.change(permit.grant(), Durability::Durable, move |tx, _| {
            let most = quota::PROVIDERS;
            let count = i64::try_from(oidc_provider::arns(tx, account)?.len());
            let count = count.map_err(Error::internal)?;
            quota::check("OpenIdConnectProvidersPerAccount", count, most)?;
            let row = OidcProvider {
                arn: arn.clone(),
                url: url.clone(),
                client_ids: self.client_ids.clone(),
                thumbprints: self.thumbprints.clone(),
                created_at: tx.now(),
            };
            if !oidc_provider::insert(tx, account, &row)? {
                return Err(Fault::EntityAlreadyExists
                    .because(format!("Provider with url {} already exists.", self.url)));
            }
            identity_tag::put(tx, &arn, &tags)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await?;
        Ok(created)
    }
}
