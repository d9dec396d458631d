//! `ListExpiredImages`.

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
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
        let token = self.next_token.as_deref();
        let after: Option<Digest> = page::resume(&cx.core.tokens, &list, token)?;
        let mut found = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                let limit = i64::try_from(size + 1).map_err(Error::internal)?;
                let after = after.map(|digest| digest.to_key()).unwrap_or_default();
                Ok(expired::page(tx, incarnation, &after, limit)?)
            })
            .await?;
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more).map(|kept| kept.digest);
        let next_token = last.map(|last| page::next_token(&cx.core.tokens, &list, &last));
        Ok(ListedExpiredImages {
            next_token: next_token.transpose()?,
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
