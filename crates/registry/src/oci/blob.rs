//! Blobs over `/v2`, and layer URLs.

use std::time::Duration;

use longshore_store::meta::Durability;
use longshore_types::{
    digest::Digest,
    range::{ByteRange, Selection},
};

use super::Repository;
pub use crate::storage::blob::Download;
use crate::{
    authz::{Ecr, Grant, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    storage::blob::{find, read},
    table::{blob, link},
    token::LayerGrant,
};

/// How long the URL is good that a pull is sent to: to begin with, not to end.
const LOCATION_LIFETIME: Duration = Duration::from_mins(5);

/// `HEAD` of a blob.
#[derive(Debug)]
pub struct HeadBlob {
    /// The repository.
    pub repository: Repository,
    /// The blob.
    pub digest: Digest,
}

impl Operation for HeadBlob {
    /// The size in bytes.
    type Output = u64;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self
            .repository
            .needs(Ecr::BatchCheckLayerAvailability)
            .or(Ecr::GetDownloadUrlForLayer))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<u64> {
        let digest = self.digest;
        let size = cx
            .query(permit.grant(), move |tx, grant| {
                blob::head(tx, grant, &digest)
            })
            .await?;
        size.ok_or(Error::BlobUnknown)
    }
}

/// `GET` of a blob, or of a range of it.
#[derive(Debug)]
pub struct PullBlob {
    /// The repository.
    pub repository: Repository,
    /// The blob.
    pub digest: Digest,
    /// The Range header.
    pub range: Option<String>,
}

/// A blob on its way out.
#[derive(Debug)]
pub struct PulledBlob {
    /// Its whole size in bytes.
    pub size: u64,
    /// The range that is served, if one was asked for and understood.
    pub range: Option<ByteRange>,
    /// The bytes.
    pub download: Download,
    /// Where whoever knows the URL has them for a short time, if pulls are to be sent there.
    pub location: Option<String>,
}

impl Operation for PullBlob {
    type Output = PulledBlob;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::GetDownloadUrlForLayer))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<PulledBlob> {
        let (grant, range) = (permit.grant(), self.range.as_deref());
        let redirects = cx.core.settings.redirect_pulls && range.is_none();
        pull(cx, grant, self.digest, range, redirects).await
    }
}

/// `GET` of a layer URL: the principal that asked for it must still be allowed.
#[derive(Debug)]
pub struct DownloadLayer {
    /// What the URL seals.
    pub grant: LayerGrant,
    /// The Range header.
    pub range: Option<String>,
}

impl Operation for DownloadLayer {
    type Output = PulledBlob;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(Needs::one(
            Ecr::GetDownloadUrlForLayer,
            Resource::Incarnation(self.grant.incarnation),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<PulledBlob> {
        let (grant, range) = (permit.grant(), self.range.as_deref());
        pull(cx, grant, self.grant.digest, range, false).await
    }
}

async fn pull(
    cx: &Cx<'_>,
    grant: &Grant,
    digest: Digest,
    range: Option<&str>,
    redirects: bool,
) -> Result<PulledBlob> {
    let opened = find(cx, grant, digest).await?;
    let size = opened.size();
    let range = match range.map(|header| ByteRange::parse(header, size)) {
        None | Some(Selection::Whole) => None,
        Some(Selection::Part(range)) => Some(range),
        Some(Selection::Unsatisfiable) => return Err(Error::RangeNotSatisfiable(size)),
    };
    let bytes = range.map_or(0..size, |range| range.first()..range.end());
    let bare = opened.only_segment().filter(|_| redirects);
    let location = bare.and_then(|row| cx.core.blobs.location(row, LOCATION_LIFETIME));
    let download = read(cx, grant, opened, bytes).await?;
    Ok(PulledBlob {
        size,
        range,
        download,
        location,
    })
}

/// `DELETE` of a blob.
#[derive(Debug)]
pub struct DeleteBlob {
    /// The repository.
    pub repository: Repository,
    /// The blob.
    pub digest: Digest,
}

impl Operation for DeleteBlob {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::BatchDeleteImage))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let digest = self.digest;
        cx.write(permit.grant(), Durability::Durable, move |tx, grant| {
            let incarnation = grant.repository()?.incarnation;
            match link::standing(tx, incarnation.as_bytes(), &digest)? {
                Some(standing) if standing.referenced => Err(Error::BlobReferenced(digest)),
                Some(standing) if !standing.withdrawn => {
                    Ok(link::withdraw(tx, incarnation, &digest)?)
                }
                _ => Err(Error::BlobUnknown),
            }
        })
        .await
    }
}
