//! Manifests over `/v2`.

use bytes::Bytes;
use longshore_store::meta::Durability;
use longshore_types::{
    digest::Digest,
    manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError},
    media_type::MediaType,
    name::{ImageTag, Reference},
};

use super::Repository;
pub use crate::storage::manifest::Accept;
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    pulls,
    storage::{
        image::{self as rules, Deleted, Wire},
        manifest,
    },
    table::image,
};

/// `GET` and `HEAD` of a manifest.
#[derive(Debug)]
pub struct PullManifest {
    /// The repository.
    pub repository: Repository,
    /// The tag or digest.
    pub reference: Reference,
    /// What the client takes.
    pub accept: Accept,
    /// Whether the bytes are wanted.
    pub whole: bool,
}

/// A manifest as it is served.
#[derive(Debug)]
pub struct PulledManifest {
    /// The digest of the bytes served.
    pub digest: Digest,
    /// Their media type.
    pub media_type: String,
    /// Their length.
    pub length: u64,
    /// The bytes, for a `GET`.
    pub bytes: Option<Bytes>,
}

impl Operation for PullManifest {
    type Output = PulledManifest;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::BatchGetImage))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<PulledManifest> {
        let grant = permit.grant();
        let (reference, whole) = (self.reference.clone(), self.whole);
        let (found, counts) = cx
            .query(grant, move |tx, grant| {
                let found = image::find(tx, grant, &reference, whole)?;
                Ok((found, whole && grant.counts_pulls()))
            })
            .await?;
        let found = found.ok_or(Error::ManifestUnknown)?;
        let image = found.digest;
        let pulled = if self.accept.takes(&found.media_type) {
            self.serve(cx, grant, found).await?
        } else {
            self.converted(cx, grant, found).await?
        };
        if counts {
            pulls::record(cx.core, grant.repository()?.incarnation, image);
        }
        Ok(pulled)
    }
}

impl PullManifest {
    async fn serve(
        &self,
        cx: &Cx<'_>,
        grant: &crate::authz::Grant,
        found: image::Stored,
    ) -> Result<PulledManifest> {
        let bytes = match &found.sealed {
            Some(sealed) => {
                let keys = cx.core.domain_keys(grant).await?;
                Some(manifest::open(&keys, &found.digest, sealed)?)
            }
            None => None,
        };
        // Whoever asks by another digest must get that digest back.
        let digest = match &self.reference {
            Reference::Digest(asked) => *asked,
            Reference::Tag(_) => found.pushed_as.unwrap_or(found.digest),
        };
        Ok(PulledManifest {
            digest,
            media_type: found.media_type,
            length: found.bytes.cast_unsigned(),
            bytes,
        })
    }

    /// Converts between Docker schema 2 and OCI, by tag only (`behaviour.md` section 11.1); anything else is served as it is.
    async fn converted(
        &self,
        cx: &Cx<'_>,
        grant: &crate::authz::Grant,
        found: image::Stored,
    ) -> Result<PulledManifest> {
        let target = match &self.reference {
            Reference::Tag(_) => self.accept.counterpart(&found.media_type),
            Reference::Digest(_) => None,
        };
        let Some(target) = target else {
            return self.serve(cx, grant, found).await;
        };
        let reference = Reference::Digest(found.digest);
        let whole = cx
            .query(grant, move |tx, grant| {
                image::find(tx, grant, &reference, true)
            })
            .await?;
        let sealed = whole
            .and_then(|whole| whole.sealed)
            .ok_or(Error::ManifestUnknown)?;
        let keys = cx.core.domain_keys(grant).await?;
        let stored = manifest::open(&keys, &found.digest, &sealed)?;
        let Some(bytes) = manifest::converted(&stored, &found.media_type, target)? else {
            return self.serve(cx, grant, found).await;
        };
        Ok(PulledManifest {
            digest: rules::digest_of(&bytes),
            media_type: target.media_type().to_owned(),
            length: bytes.len() as u64,
            bytes: self.whole.then(|| bytes.into()),
        })
    }
}

/// `PUT` of a manifest.
#[derive(Debug)]
pub struct PushManifest {
    /// The repository.
    pub repository: Repository,
    /// The tag or digest in the path.
    pub reference: Reference,
    /// Further tags, given as parameters.
    pub tags: Vec<ImageTag>,
    /// The Content-Type.
    pub media_type: Option<MediaType>,
    /// The manifest.
    pub bytes: Bytes,
}

/// What a pushed manifest became.
#[derive(Debug)]
pub struct PushedManifest {
    /// The digest it was pushed by, or its SHA-256.
    pub digest: Digest,
    /// The subject that it refers to.
    pub subject: Option<Digest>,
    /// The tags given as parameters.
    pub tags: Vec<ImageTag>,
}

/// The most tags that one push may give.
pub const MAX_TAGS: usize = 50;

impl Operation for PushManifest {
    type Output = PushedManifest;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::PutImage))
    }

    /// What cannot be pushed makes nothing.
    fn makes(&self) -> Option<Repository> {
        let is_right = self.parsed().is_ok() && self.digest().is_some();
        is_right.then(|| self.repository.clone())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<PushedManifest> {
        let grant = permit.grant();
        let parsed = self.parsed()?;
        let digest = self.digest().ok_or_else(|| self.mismatch())?;
        let keys = cx.core.domain_keys(grant).await?;
        let image = rules::prepare(&keys, &parsed, &self.bytes, Some(digest))?;
        let tags = self.all_tags();
        let limits = cx.core.push_limits(grant)?;
        let absent = cx
            .write(grant, Durability::Durable, move |tx, grant| {
                rules::put(tx, grant, &image, &tags, Wire::Oci, &limits)
            })
            .await?;
        if !absent.is_empty() {
            let repository = &grant.repository()?.name;
            let layers = absent.len();
            tracing::warn!(repository.name = %repository, image.digest = %digest, layers, "an image was pushed without some of its layers");
        }
        Ok(PushedManifest {
            digest,
            subject: parsed.subject.map(|subject| subject.digest),
            tags: self.tags,
        })
    }
}

impl PushManifest {
    fn parsed(&self) -> Result<Manifest> {
        if self.bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(self.bytes.len()).into());
        }
        Ok(Manifest::parse(&self.bytes, self.media_type.as_ref())?)
    }

    /// The digest that it is pushed by, or its SHA-256; none if the one in the path is not its own.
    fn digest(&self) -> Option<Digest> {
        match &self.reference {
            Reference::Tag(_) => Some(rules::digest_of(&self.bytes)),
            Reference::Digest(asked) => {
                let own = rules::digest_with(asked.algorithm(), &self.bytes);
                (own == *asked).then_some(own)
            }
        }
    }

    fn mismatch(&self) -> Error {
        Error::ImageDigestDoesNotMatch {
            digest: self.reference.to_string(),
            name: self.repository.name.clone(),
            account: self.repository.registry.account(),
        }
    }

    fn all_tags(&self) -> Vec<ImageTag> {
        let mut tags = self.tags.clone();
        if let Reference::Tag(tag) = &self.reference {
            tags.push(tag.clone());
        }
        tags.sort();
        tags.dedup();
        tags
    }
}

/// `DELETE` of a manifest by digest, or of a tag.
#[derive(Debug)]
pub struct DeleteManifest {
    /// The repository.
    pub repository: Repository,
    /// The tag or digest.
    pub reference: Reference,
}

impl Operation for DeleteManifest {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(self.repository.needs(Ecr::BatchDeleteImage))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let grant = permit.grant();
        match self.reference {
            // The specification removes the tag alone, even the last one; ECR's API removes the image with it.
            Reference::Tag(name) => {
                let removed = move |tx: &mut dyn longshore_store::meta::Tx,
                                    grant: &crate::authz::Grant| {
                    rules::remove_tag(tx, grant.repository()?.incarnation, &name)
                };
                if cx.write(grant, Durability::Durable, removed).await? {
                    Ok(())
                } else {
                    Err(Error::ManifestUnknown)
                }
            }
            Reference::Digest(digest) => delete(cx, grant, digest).await.map(drop),
        }
    }
}

/// Deletes the image that `digest` names, with all its tags, which it returns.
pub(crate) async fn delete(
    cx: &Cx<'_>,
    grant: &crate::authz::Grant,
    digest: Digest,
) -> Result<(Digest, Vec<String>)> {
    let mut tags = Vec::new();
    loop {
        let step = cx
            .write(grant, Durability::Durable, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                let image =
                    image::resolve(tx, incarnation, &digest)?.ok_or(Error::ManifestUnknown)?;
                Ok((image, rules::delete(tx, incarnation, &image)?))
            })
            .await?;
        match step {
            (_, Deleted::Some(some)) => tags.extend(some),
            (image, Deleted::All(last)) => {
                tags.extend(last);
                return Ok((image, tags));
            }
        }
    }
}
