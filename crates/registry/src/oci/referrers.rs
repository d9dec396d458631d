//! The referrers of an image.

use std::collections::BTreeMap;

use longshore_types::digest::Digest;

use super::Repository;
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::{image, image_storage::StatusFilter},
};

/// How many referrers one page of `/v2` holds.
pub const PAGE: usize = 1000;

/// `GET /v2/NAME/referrers/DIGEST`.
#[derive(Debug)]
pub struct ListReferrers {
    /// The repository.
    pub repository: Repository,
    /// The subject, which need not exist.
    pub subject: Digest,
    /// Only this type of artifact.
    pub artifact_type: Option<String>,
    /// The last referrer of the page before.
    pub last: Option<Digest>,
}

/// One referrer, as its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The referrer's own digest.
    pub digest: Digest,
    /// Its manifest's media type.
    pub media_type: String,
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
    /// The length of its manifest in bytes.
    pub size: u64,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// How it is stored, as the API says it.
    pub status: &'static str,
}

/// A page of referrers, and whether there are more.
#[derive(Debug)]
pub struct Referrers {
    /// In order of digest.
    pub referrers: Vec<Referrer>,
    /// Whether another page follows.
    pub more: bool,
}

impl Operation for ListReferrers {
    type Output = Referrers;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::BatchGetImage))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Referrers> {
        let types = self.artifact_type.into_iter().collect();
        let active = (types, StatusFilter::Active);
        page(cx, permit.grant(), self.subject, active, self.last, PAGE).await
    }
}

/// Returns one page of the referrers of `subject`.
pub(crate) async fn page(
    cx: &Cx<'_>,
    grant: &Grant,
    subject: Digest,
    (types, status): (Vec<String>, StatusFilter),
    after: Option<Digest>,
    size: usize,
) -> Result<Referrers> {
    let after = after.map(|digest| digest.to_key()).unwrap_or_default();
    let (rows, more) = cx
        .query(grant, move |tx, grant| {
            image::referrers(tx, grant, &subject, (&types, status), &after, size)
        })
        .await?;
    let referrers = rows.into_iter().map(referrer).collect::<Result<Vec<_>>>()?;
    Ok(Referrers { referrers, more })
}

fn referrer(row: image::Referrer) -> Result<Referrer> {
    let annotations = match &row.annotations {
        Some(text) => serde_json::from_str(text).map_err(Error::internal)?,
        None => BTreeMap::new(),
    };
    Ok(Referrer {
        digest: row.digest,
        media_type: row.media_type,
        artifact_type: row.artifact_type,
        size: row.bytes.cast_unsigned(),
        annotations,
        status: row.status.word(),
    })
}
