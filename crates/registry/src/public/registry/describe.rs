//! `DescribeRegistries`.

use longshore_types::{account::AccountId, alias::RegistryAlias};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit, Resource, public_arn_of},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    page::{self, PageSize},
    public::alias::MAX_ALIASES,
    table::registry_alias::{self, Alias},
};

/// Tells the public registry of the caller's account, the one that there is (`behaviour.md` section 29).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeRegistries {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// The registry, in a list of its own.
#[derive(Debug, Serialize)]
pub struct DescribedRegistries {
    registries: Vec<Registry>,
}

/// A public registry. One that never had a repository has no alias and no URI.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Registry {
    registry_id: AccountId,
    registry_arn: String,
    registry_uri: String,
    /// Nobody is: there is no marketplace here.
    verified: bool,
    aliases: Vec<NamedAlias>,
}

/// An alias of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NamedAlias {
    name: RegistryAlias,
    /// Whoever gives an alias has approved it.
    status: &'static str,
    primary_registry_alias: bool,
    default_registry_alias: bool,
}

impl Operation for DescribeRegistries {
    type Output = DescribedRegistries;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        PageSize::USUAL.check(self.max_results)?;
        Ok(Needs::one(
            EcrPublic::DescribeRegistries,
            Resource::PublicRegistry(scope.registry.account()),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRegistries> {
        let account = permit.grant().registry().account();
        // One page is all: no token was ever given.
        let list = format!("DescribeRegistries {account}");
        page::resume::<()>(&cx.core.tokens, &list, self.next_token.as_deref())?;
        let aliases = cx
            .read(permit.grant(), move |tx, _| {
                Ok(registry_alias::all(tx, account, MAX_ALIASES + 1)?)
            })
            .await?;
        let primary = aliases.iter().find(|alias| alias.is_primary);
        let uri = primary.map(|alias| cx.endpoints.public_uri(&alias.name));
        Ok(DescribedRegistries {
            registries: vec![Registry {
                registry_id: account,
                registry_arn: public_arn_of(account),
                registry_uri: uri.unwrap_or_default(),
                verified: false,
                aliases: aliases.into_iter().map(NamedAlias::of).collect(),
            }],
        })
    }
}

impl NamedAlias {
    fn of(alias: Alias) -> Self {
        Self {
            name: alias.name,
            status: "ACTIVE",
            primary_registry_alias: alias.is_primary,
            default_registry_alias: alias.is_default,
        }
    }
}
