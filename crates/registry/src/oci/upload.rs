//! Uploads of blobs over `/v2`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::Registry, digest::Digest, id::UploadId, name::RepositoryName, range::ContentRange,
};

use super::Repository;
use crate::{
    account_setting::SettingName,
    authz::{self, Ecr, Grant, Need, Needs, Permit, Resource},
    body::Body,
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    storage::upload::{self as rules, Announced},
    table::{account_setting, link, relocation},
};

/// `POST` of an upload, perhaps as a mount.
#[derive(Debug)]
pub struct StartUpload {
    /// The repository.
    pub repository: Repository,
    /// The blob to mount and where from, if the client has an idea.
    pub mount: Option<Mount>,
    /// Whether the digest will be a SHA-512.
    pub sha512: bool,
}

/// A blob to mount.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The blob.
    pub digest: Digest,
    /// The repository that has it; without it, any that the caller may read.
    pub from: Option<RepositoryName>,
}

/// What a `POST` gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// An open upload.
    Upload(UploadId),
    /// The blob is mounted.
    Mounted(Digest),
}

/// How many repositories are tried when the client names none.
const MOUNT_SOURCES: i64 = 8;

impl Operation for StartUpload {
    type Output = Started;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        let needs = self.repository.needs(Ecr::InitiateLayerUpload);
        let from = self.mount.as_ref().and_then(|mount| mount.from.clone());
        Ok(match from {
            Some(from) => needs.optional(Need::new(
                Ecr::GetDownloadUrlForLayer,
                Resource::Repository(self.repository.registry, from),
            )),
            None => needs,
        })
    }

    fn makes(&self) -> Option<Repository> {
        Some(self.repository.clone())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Started> {
        if let Some(mount) = &self.mount
            && self.mounted(cx, &permit, mount).await?
        {
            return Ok(Started::Mounted(mount.digest));
        }
        rules::begin(cx, permit.grant(), self.sha512)
            .await
            .map(Started::Upload)
    }
}

impl StartUpload {
    async fn mounted(&self, cx: &Cx<'_>, permit: &Permit<Self>, mount: &Mount) -> Result<bool> {
        if let Some(source) = permit.optional() {
            return link_from(cx, permit.grant(), source, mount.digest).await;
        }
        if mount.from.is_some() {
            return Ok(false);
        }
        for source in self.sources(cx, permit.grant(), mount.digest).await? {
            if link_from(cx, permit.grant(), &source, mount.digest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Repositories that hold the blob and that the caller may read.
    async fn sources(&self, cx: &Cx<'_>, grant: &Grant, digest: Digest) -> Result<Vec<Grant>> {
        let names = cx
            .read(grant, move |tx, grant| {
                Ok(link::holders(
                    tx,
                    grant.repository()?.domain,
                    &digest,
                    MOUNT_SOURCES,
                )?)
            })
            .await?;
        let mut sources = Vec::new();
        for name in names {
            let name: RepositoryName = name.parse().map_err(Error::internal)?;
            let need = Need::new(
                Ecr::GetDownloadUrlForLayer,
                Resource::Repository(self.repository.registry, name),
            );
            sources.extend(authz::allowed(cx, need).await);
        }
        Ok(sources)
    }
}

/// Links `digest` in the target if it is present in `source`. A source that was decided on what has changed since is
/// decided once more.
async fn link_from(cx: &Cx<'_>, target: &Grant, source: &Grant, digest: Digest) -> Result<bool> {
    match linked(cx, target, source, digest).await? {
        Linked::Stale => match authz::again(cx, source).await {
            Ok(source) => Ok(linked(cx, target, &source, digest).await? == Linked::Yes),
            Err(_) => Ok(false),
        },
        linked => Ok(linked == Linked::Yes),
    }
}

/// What came of a mount; without it the client uploads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Linked {
    Yes,
    No,
    /// The right to read the source is out of date.
    Stale,
}

/// Proves both grants and links the blob, in one transaction, within one encryption domain of a registry that lets blobs
/// be mounted (`behaviour.md` section 21.3).
async fn linked(cx: &Cx<'_>, target: &Grant, source: &Grant, digest: Digest) -> Result<Linked> {
    let source = source.clone();
    cx.write(target, Durability::Durable, move |tx, target| {
        let has_waited = match source.assert(tx) {
            Err(Error::Stale) => return Ok(Linked::Stale),
            asserted => asserted?,
        };
        if has_waited {
            target.assert(tx)?;
        }
        let (from, to) = (source.repository()?, target.repository()?);
        let present = link::present(tx, from.incarnation, &[digest])?.pop();
        let Some(blob) = present.filter(|_| from.domain == to.domain) else {
            return Ok(Linked::No);
        };
        if !may_mount(tx, &to.registry)? {
            return Ok(Linked::No);
        }
        link::promise(tx, to.incarnation, to.domain, &digest)?;
        if blob.is_archived {
            relocation::look_at(tx, to.domain.as_bytes(), &digest, relocation::FIRST)?;
        }
        Ok(Linked::Yes)
    })
    .await
}

fn may_mount(tx: &mut dyn Tx, registry: &Registry) -> Result<bool> {
    let setting = account_setting::get(tx, registry, SettingName::BlobMounting.as_str())?;
    Ok(setting.as_deref() != Some("DISABLED"))
}

/// `POST` with a digest and the whole blob.
#[derive(Debug)]
pub struct PushBlob {
    /// The repository.
    pub repository: Repository,
    /// The blob.
    pub digest: Digest,
    /// Its bytes.
    pub body: Box<dyn Body>,
}

impl Operation for PushBlob {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self
            .repository
            .needs(Ecr::InitiateLayerUpload)
            .and(Ecr::UploadLayerPart)
            .and(Ecr::CompleteLayerUpload))
    }

    fn makes(&self) -> Option<Repository> {
        Some(self.repository.clone())
    }

    async fn run(mut self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        rules::whole(cx, permit.grant(), self.digest, self.body.as_mut())
            .await
            .map(drop)
    }
}

/// `PATCH`: the next bytes.
#[derive(Debug)]
pub struct AppendUpload {
    /// The repository.
    pub repository: Repository,
    /// The upload.
    pub upload: UploadId,
    /// The Content-Range header.
    pub range: Option<ContentRange>,
    /// The bytes.
    pub body: Box<dyn Body>,
}

impl Operation for AppendUpload {
    /// How many bytes the upload has now.
    type Output = u64;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::UploadLayerPart))
    }

    async fn run(mut self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<u64> {
        let at = self.range.map(announced);
        let after = rules::append(
            cx,
            permit.grant(),
            self.upload,
            at,
            false,
            self.body.as_mut(),
        )
        .await?;
        Ok(after.received.cast_unsigned())
    }
}

/// `PUT`: the last bytes, if any, and the digest.
#[derive(Debug)]
pub struct CloseUpload {
    /// The repository.
    pub repository: Repository,
    /// The upload.
    pub upload: UploadId,
    /// The Content-Range header.
    pub range: Option<ContentRange>,
    /// The blob.
    pub digest: Digest,
    /// Whether the body may hold bytes.
    pub has_body: bool,
    /// The bytes.
    pub body: Box<dyn Body>,
}

impl Operation for CloseUpload {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        let needs = self.repository.needs(Ecr::CompleteLayerUpload);
        Ok(if self.has_body {
            needs.and(Ecr::UploadLayerPart)
        } else {
            needs
        })
    }

    async fn run(mut self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let at = self.range.map(announced);
        let digests = [self.digest];
        rules::close(
            cx,
            permit.grant(),
            self.upload,
            at,
            &digests,
            self.body.as_mut(),
        )
        .await
        .map(drop)
    }
}

/// `GET` of an upload: where it stands.
#[derive(Debug)]
pub struct UploadStatus {
    /// The repository.
    pub repository: Repository,
    /// The upload.
    pub upload: UploadId,
}

impl Operation for UploadStatus {
    /// How many bytes the upload has.
    type Output = u64;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::UploadLayerPart))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<u64> {
        Ok(rules::find(cx, permit.grant(), self.upload)
            .await?
            .received
            .cast_unsigned())
    }
}

/// `DELETE` of an upload.
#[derive(Debug)]
pub struct CancelUpload {
    /// The repository.
    pub repository: Repository,
    /// The upload.
    pub upload: UploadId,
}

impl Operation for CancelUpload {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::UploadLayerPart))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        rules::cancel(cx, permit.grant(), self.upload).await
    }
}

fn announced(range: ContentRange) -> Announced {
    Announced {
        first: range.first(),
        length: range.len(),
    }
}
