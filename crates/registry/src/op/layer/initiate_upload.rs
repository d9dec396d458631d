//! `InitiateLayerUpload`.

use longshore_types::{account::AccountId, id::UploadId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::on_repository,
    operation::Operation,
    storage::upload,
};

/// The part size that clients are told: 10 MiB.
const PART_SIZE: u64 = 10_485_760;

/// Begins the upload of a layer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitiateLayerUpload {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// An open upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitiatedLayerUpload {
    upload_id: UploadId,
    part_size: u64,
}

impl Operation for InitiateLayerUpload {
    type Output = InitiatedLayerUpload;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::InitiateLayerUpload,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<InitiatedLayerUpload> {
        Ok(InitiatedLayerUpload {
            upload_id: upload::begin(cx, permit.grant(), false).await?,
            part_size: PART_SIZE,
        })
    }
}
