//! `ListExpiredImages`.

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::expired::{self, KeptImage},
};

/// Lists the images of a repository that were expired and can be brought back, in pages by digest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListExpiredImages {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Expired images, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedExpiredImages {
    expired_images: Vec<ExpiredImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An image that was expired.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExpiredImage {
    image_digest: Digest,
    image_manifest_media_type: String,
    /// The tags that it had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    expired_at: Timestamp,
    /// When it is gone for good.
    kept_until: Timestamp,
}

impl Operation for ListExpiredImages {
    type Output = ListedExpiredImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Longshore::ListExpiredImages,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PageSize::USUAL.check(self.max_results)?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedExpiredImages> {
        let grant = permit.grant();
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = format!("ListExpiredImages {}", grant.repository()?.incarnation);
        let tokens = &cx.core.tokens;
        let paging = page::Paging::<Digest>::read(tokens, list, size, self.next_token.as_deref())?;
        let after = paging
            .after
            .map(|digest| digest.to_key())
            .unwrap_or_default();
        let limit = paging.limit();
        let mut found = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                Ok(expired::page(tx, incarnation, &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(tokens, &mut found, |kept| kept.digest)?;
        Ok(ListedExpiredImages {
            next_token,
            expired_images: found
                .into_iter()
                .map(ExpiredImage::of)
                .collect::<Result<_>>()?,
        })
    }
}

impl ExpiredImage {
    fn of(kept: KeptImage) -> Result<Self> {
        Ok(Self {
            image_tags: kept.tags()?,
            image_digest: kept.digest,
            image_manifest_media_type: kept.media_type,
            expired_at: kept.expired_at,
            kept_until: kept.kept_until,
        })
    }
}
