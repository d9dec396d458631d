//! `CompleteLayerUpload`.

use bytes::Bytes;
use longshore_types::{account::AccountId, digest::Digest, id::UploadId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    body::Whole,
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, required_list},
    op::{digest::DigestText, on_repository},
    operation::Operation,
    storage::upload::{self, Announced},
    table::upload::Upload,
};

const MAX_DIGESTS: usize = 100;

/// Ends an upload: its parts become the layer that one of the digests names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CompleteLayerUpload {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    upload_id: Member<UploadId>,
    layer_digests: Option<Vec<Member<DigestText>>>,
}

/// The layer that the upload became.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletedLayerUpload {
    registry_id: AccountId,
    repository_name: RepositoryName,
    upload_id: UploadId,
    layer_digest: Digest,
}

impl Operation for CompleteLayerUpload {
    type Output = CompletedLayerUpload;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::CompleteLayerUpload,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.upload_id.required("uploadId")?;
        self.digests()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CompletedLayerUpload> {
        let grant = permit.grant();
        let id = self.upload_id.required("uploadId")?;
        let digests = self.digests()?;
        let open = upload::find(cx, grant, id).await?;
        check_parts(grant, &open)?;
        // What was checked is what is closed: a part that comes in between is refused by where it stands.
        let end = Announced {
            first: open.received.cast_unsigned(),
            length: 0,
        };
        let mut nothing = Whole::new(Bytes::new());
        let (layer_digest, closed) =
            upload::close(cx, grant, id, Some(end), &digests, &mut nothing).await?;
        let repository = grant.repository()?;
        let (name, account) = (repository.name.clone(), repository.registry.account());
        if closed.was_present {
            // The upload is over and the layer's promise renewed, whatever this error sounds like.
            return Err(Error::LayerAlreadyExists {
                digest: layer_digest,
                name,
                account,
            });
        }
        Ok(CompletedLayerUpload {
            registry_id: account,
            repository_name: name,
            upload_id: id,
            layer_digest,
        })
    }
}

impl CompleteLayerUpload {
    /// The digests that the layer can have here.
    fn digests(&self) -> Result<Vec<Digest>> {
        let texts = required_list("layerDigests", self.layer_digests.as_ref(), MAX_DIGESTS)?;
        let mut digests = Vec::with_capacity(texts.len());
        for text in texts {
            digests.extend(text.required("layerDigests")?.known);
        }
        Ok(digests)
    }
}

fn check_parts(grant: &Grant, open: &Upload) -> Result<()> {
    if open.pieces == 0 {
        let repository = grant.repository()?;
        return Err(Error::EmptyUpload {
            id: open.id,
            name: repository.name.clone(),
            account: repository.registry.account(),
        });
    }
    if open.undersized {
        return Err(Error::LayerPartTooSmall);
    }
    Ok(())
}
