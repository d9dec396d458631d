//! `GetDownloadUrlForLayer`.

use std::fmt;

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::{digest::DigestText, on_repository},
    operation::Operation,
    table::link,
    token::{Holder, LAYER_URL_LIFE, LayerGrant, Purpose},
};

/// Makes a URL by which a layer that an image references downloads for an hour, as long as the caller may.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetDownloadUrlForLayer {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    layer_digest: Member<DigestText>,
}

/// The URL, which is not printed, and for which layer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerDownloadUrl {
    download_url: String,
    layer_digest: Digest,
}

impl fmt::Debug for LayerDownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerDownloadUrl")
            .field("layer_digest", &self.layer_digest)
            .finish_non_exhaustive()
    }
}

impl Operation for GetDownloadUrlForLayer {
    type Output = LayerDownloadUrl;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::GetDownloadUrlForLayer,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.layer_digest.required("layerDigest")?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<LayerDownloadUrl> {
        let holder = Holder::of(&cx.caller).ok_or(Error::AuthenticationRequired)?;
        let grant = permit.grant();
        let asked = self.layer_digest.required("layerDigest")?;
        let Some(layer_digest) = asked.known else {
            return Err(not_found(grant, asked.as_str()));
        };
        let now = cx
            .read(grant, move |tx, grant| {
                check_referenced(tx, grant, layer_digest)?;
                Ok(tx.now())
            })
            .await?;
        let sealed = LayerGrant {
            incarnation: grant.repository()?.incarnation,
            digest: layer_digest,
            expires_at: holder.bounded(now.plus(LAYER_URL_LIFE)).as_millis(),
            holder,
        };
        let sealed = cx.core.tokens.seal(Purpose::Layer, &sealed)?;
        Ok(LayerDownloadUrl {
            download_url: cx.endpoints.layer_url(&layer_digest, &sealed),
            layer_digest,
        })
    }
}

fn check_referenced(
    tx: &mut dyn longshore_store::meta::Tx,
    grant: &Grant,
    digest: Digest,
) -> Result<()> {
    let repository = grant.repository()?;
    let present = link::present(tx, repository.incarnation, &[digest])?.pop();
    match present.map(|blob| blob.referenced_as) {
        None if link::archived(tx, repository.incarnation, &[digest])?.is_empty() => {
            Err(not_found(grant, &digest.to_string()))
        }
        None | Some(None) => Err(Error::LayerInaccessible {
            digest,
            name: repository.name.clone(),
            account: repository.registry.account(),
        }),
        Some(Some(_)) => Ok(()),
    }
}

fn not_found(grant: &Grant, digest: &str) -> Error {
    match grant.repository() {
        Ok(repository) => Error::LayerNotFound {
            digest: digest.to_owned(),
            name: repository.name.clone(),
            account: repository.registry.account(),
        },
        Err(error) => error,
    }
}
