//! `GetOpenIDConnectProvider` and `ListOpenIDConnectProviders`.

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{named, on};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    iam::tag::Tag,
    operation::Operation,
    table::{identity_tag, oidc_provider},
};

/// Tells one provider.
#[derive(Debug, Deserialize)]
pub struct GetOpenIDConnectProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
}

/// The provider.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotProvider {
    url: String,
    #[serde(rename = "ClientIDList")]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
    create_date: Timestamp,
    tags: Vec<Tag>,
}

impl Operation for GetOpenIDConnectProvider {
    type Output = GotProvider;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        on(Iam::GetOpenIDConnectProvider, &self.arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotProvider> {
        cx.read(permit.grant(), move |tx, _| {
            let row = named(tx, &self.arn)?;
            Ok(GotProvider {
                url: row.url,
                client_ids: row.client_ids,
                thumbprints: row.thumbprints,
                create_date: row.created_at,
                tags: Tag::all(identity_tag::all(tx, &row.arn)?),
            })
        })
        .await
    }
}

/// Tells the ARNs of all providers of the account.
#[derive(Debug, Deserialize)]
pub struct ListOpenIDConnectProviders {}

/// The providers.
#[derive(Debug, Serialize)]
pub struct ListedProviders {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: Vec<ListedProvider>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedProvider {
    arn: String,
}

impl Operation for ListOpenIDConnectProviders {
    type Output = ListedProviders;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Iam::ListOpenIDConnectProviders,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedProviders> {
        let arns = cx
            .read(permit.grant(), |tx, grant| {
                Ok::<_, Error>(oidc_provider::arns(tx, grant.registry().account())?)
            })
            .await?;
        Ok(ListedProviders {
            providers: arns.into_iter().map(|arn| ListedProvider { arn }).collect(),
        })
    }
}
