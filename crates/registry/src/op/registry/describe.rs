//! `DescribeRegistry`.

use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
};

/// Tells the registry's settings.
#[derive(Debug, Deserialize)]
pub struct DescribeRegistry {}

/// A registry's settings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRegistry {
    registry_id: AccountId,
    replication_configuration: ReplicationConfiguration,
}

/// Where images are replicated to: nowhere, unless rules say so.
#[derive(Debug, Default, Serialize)]
pub struct ReplicationConfiguration {
    rules: [(); 0],
}

impl Operation for DescribeRegistry {
    type Output = DescribedRegistry;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(Needs::one(
            Ecr::DescribeRegistry,
            Resource::Registry(scope.registry),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRegistry> {
        let registry = cx
            .read(permit.grant(), |_, grant| Ok(*grant.registry()))
            .await?;
        Ok(DescribedRegistry {
            registry_id: registry.account(),
            replication_configuration: ReplicationConfiguration::default(),
        })
    }
}
