//! `RestoreExpiredImages`.

use std::{collections::HashSet, sync::Arc};

use longshore_store::{crypto::DomainKeys, meta::Durability};
use longshore_types::{
    account::AccountId,
    digest::Digest,
    manifest::Manifest,
    name::{ImageTag, RepositoryName},
};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Grant, Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, required_list},
    op::{
        image::{ImageFailure, ImageFailureCode, ImageIdentifier},
        on_repository,
    },
    operation::Operation,
    storage::{
        image::{self as rules, Wire},
        manifest,
    },
    table::{expired, image::NewImage, tag},
};

const MAX_IDS: usize = 100;
/// How many images one call brings back with those that it names.
const MAX_IMAGES: usize = 1000;

/// Brings images back that a lifecycle policy with an undo window expired: those named by digest, the children of indexes
/// and their referrers, as if they were pushed again now, with those of their tags that no other image has taken.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreExpiredImages {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
}

/// The images that are back, and those of which nothing is kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredImages {
    registry_id: AccountId,
    repository_name: RepositoryName,
    images: Vec<RestoredImage>,
    failures: Vec<ImageFailure>,
}

/// An image that is back, with the tags that it has again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredImage {
    image_digest: Digest,
    image_tags: Vec<ImageTag>,
}

impl Operation for RestoreExpiredImages {
    type Output = RestoredImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Longshore::RestoreExpiredImages,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.ids()?;
        // What comes back is pushed again.
        Ok(needs.and(Ecr::PutImage))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RestoredImages> {
        let grant = permit.grant();
        let mut restoration = Restoration {
            cx,
            grant,
            keys: cx.core.domain_keys(grant).await?,
            looked: HashSet::new(),
            images: Vec::new(),
        };
        let mut failures = Vec::new();
        for id in self.ids()? {
            if let Err(code) = restoration.restore(id).await? {
                failures.push(code.of(id.clone()));
            }
        }
        let repository = grant.repository()?;
        Ok(RestoredImages {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            images: restoration.images,
            failures,
        })
    }
}

impl RestoreExpiredImages {
    fn ids(&self) -> Result<&[ImageIdentifier]> {
        required_list("imageIds", self.image_ids.as_ref(), MAX_IDS)
    }
}

/// What one call brings back.
struct Restoration<'a, 'c> {
    cx: &'a Cx<'c>,
    grant: &'a Grant,
    keys: Arc<DomainKeys>,
    looked: HashSet<Digest>,
    images: Vec<RestoredImage>,
}

/// A step with an image: what an index names comes before it, what refers to it after.
enum Step {
    Look(Digest),
    Put(Digest),
}

impl Restoration<'_, '_> {
    async fn restore(&mut self, id: &ImageIdentifier) -> Result<Result<(), ImageFailureCode>> {
        let wanted = match id.wanted() {
            Ok(wanted) => wanted,
            Err(code) => return Ok(Err(code)),
        };
        // Tags name images that are there.
        let Some(digest) = wanted.digest() else {
            return Ok(Err(ImageFailureCode::ImageNotFound));
        };
        let before = self.images.len();
        let mut steps = vec![Step::Look(digest)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Look(digest) => steps.extend(self.look(digest).await?),
                Step::Put(digest) => {
                    let referrers = self.put(digest).await?;
                    steps.extend(referrers.into_iter().map(Step::Look));
                }
            }
        }
        let is_back = self.images.iter().any(|image| image.image_digest == digest);
        if is_back || self.images.len() > before {
            Ok(Ok(()))
        } else {
            Ok(Err(ImageFailureCode::ImageNotFound))
        }
    }

    /// The steps by which an image comes back, if it was expired; the last is taken first.
    async fn look(&mut self, digest: Digest) -> Result<Vec<Step>> {
        if self.looked.len() >= MAX_IMAGES || !self.looked.insert(digest) {
            return Ok(Vec::new());
        }
        let Some((image, _)) = self.kept(digest).await? else {
            return Ok(Vec::new());
        };
        // The image is read again when its turn comes: a long row of indexes would not fit into memory.
        let mut steps = vec![Step::Put(digest)];
        steps.extend(image.children.iter().copied().map(Step::Look));
        Ok(steps)
    }

    /// Reads an image that was expired, with the tags that it had.
    async fn kept(&self, digest: Digest) -> Result<Option<(NewImage, Vec<ImageTag>)>> {
        let kept = self
            .cx
            .read(self.grant, move |tx, grant| {
                Ok(expired::get(tx, grant.repository()?.incarnation, &digest)?)
            })
            .await?;
        let Some(kept) = kept else {
            return Ok(None);
        };
        let bytes = manifest::open(&self.keys, &digest, &kept.sealed)?;
        let declared = kept.media_type.parse().map_err(Error::internal)?;
        let parsed = Manifest::parse(&bytes, Some(&declared))?;
        let image = rules::prepare(&self.keys, &parsed, &bytes, None)?;
        let tags = kept
            .tags()?
            .iter()
            .map(|tag| tag.parse())
            .collect::<Result<_, _>>();
        Ok(Some((image, tags.map_err(Error::internal)?)))
    }

    /// Puts an image back, unless it has come back meanwhile; returns its referrers that were expired.
    async fn put(&mut self, digest: Digest) -> Result<Vec<Digest>> {
        let Some((image, tags)) = self.kept(digest).await? else {
            return Ok(Vec::new());
        };
        let limits = self.cx.core.push_limits(self.grant)?;
        let restored = self
            .cx
            // Pushes come before this or after it: a tag that is free stays so.
            .change(self.grant, Durability::Durable, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                if expired::get(tx, incarnation, &digest)?.is_none() {
                    return Ok(None);
                }
                let taken = tag::images(tx, incarnation, &tags)?;
                let is_free = |tag: &&ImageTag| !taken.contains_key(tag.as_str());
                let free: Vec<ImageTag> = tags.iter().filter(is_free).cloned().collect();
                rules::put(tx, grant, &image, &free, Wire::Oci, &limits)?;
                expired::forget(tx, incarnation, &digest)?;
                let room = i64::try_from(MAX_IMAGES).map_err(Error::internal)?;
                let referrers = expired::referrers(tx, incarnation, &digest, room)?;
                Ok(Some((free, referrers)))
            })
            .await?;
        let Some((image_tags, referrers)) = restored else {
            return Ok(Vec::new());
        };
        self.images.push(RestoredImage {
            image_digest: digest,
            image_tags,
        });
        Ok(referrers)
    }
}
