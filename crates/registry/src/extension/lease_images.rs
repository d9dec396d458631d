//! `LeaseImages`.

use std::{collections::BTreeSet, time::Duration};

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::AccountId, digest::Digest, id::Incarnation, name::RepositoryName, time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, required_list},
    op::{
        image::{ImageFailure, ImageFailureCode, ImageIdentifier, Lookup, Wanted},
        on_repository,
    },
    operation::Operation,
    table::{image, lease},
};

const MAX_IDS: usize = 100;
/// How many indexes one call leases beside the images that it names.
const MAX_INDEXES: usize = 1000;
/// The bounds of `durationSeconds`, and what it is when the caller does not say.
const MIN_SECONDS: i64 = 60;
const MAX_SECONDS: i64 = 7 * 24 * 3600;
const DEFAULT_SECONDS: i64 = 6 * 3600;

/// Keeps images from lifecycle policies for a time, because they are in use. A lease is renewed by another call, ends by
/// itself, and is never shortened. It keeps nobody from deleting the image.
///
/// What an index names stays with the index, and referrers with their subject; with an image, the indexes that name it
/// are leased, too.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaseImages {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
    duration_seconds: Option<i64>,
}

/// The images that are leased, and those that are not there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeasedImages {
    registry_id: AccountId,
    repository_name: RepositoryName,
    leases: Vec<ImageLease>,
    failures: Vec<ImageFailure>,
}

/// An image and until when it is leased.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageLease {
    /// The image.
    pub image_digest: Digest,
    /// When its lease ends.
    pub expires_at: Timestamp,
}

impl Operation for LeaseImages {
    type Output = LeasedImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Longshore::LeaseImages,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.ids()?;
        self.duration()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<LeasedImages> {
        let (ids, duration) = (self.ids()?.to_vec(), self.duration()?);
        cx.write(permit.grant(), Durability::Durable, move |tx, grant| {
            let repository = grant.repository()?;
            let (images, failures) = find(tx, repository.incarnation, &ids)?;
            Ok(LeasedImages {
                registry_id: repository.registry.account(),
                repository_name: repository.name.clone(),
                leases: lease(tx, repository.incarnation, images, duration)?,
                failures,
            })
        })
        .await
    }
}

impl LeaseImages {
    fn ids(&self) -> Result<&[ImageIdentifier]> {
        required_list("imageIds", self.image_ids.as_ref(), MAX_IDS)
    }

    fn duration(&self) -> Result<Duration> {
        let seconds = self.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let refuse = |what: &str, bound: i64| {
            let what = format!("Member must have value {what} than or equal to {bound}");
            Err(Error::invalid("durationSeconds", what))
        };
        match u64::try_from(seconds) {
            Ok(_) if seconds > MAX_SECONDS => refuse("less", MAX_SECONDS),
            Ok(whole) if seconds >= MIN_SECONDS => Ok(Duration::from_secs(whole)),
            _ => refuse("greater", MIN_SECONDS),
        }
    }
}

/// The images that `ids` name, once each, and which of `ids` name none.
fn find(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    ids: &[ImageIdentifier],
) -> Result<(BTreeSet<Digest>, Vec<ImageFailure>)> {
    let read: Vec<Result<Wanted, ImageFailureCode>> =
        ids.iter().map(ImageIdentifier::wanted).collect();
    let readable = read.iter().filter_map(|wanted| wanted.as_ref().ok());
    let lookup = Lookup::of(tx, incarnation, readable)?;
    let (mut images, mut failures) = (BTreeSet::new(), Vec::new());
    for (id, wanted) in ids.iter().zip(read) {
        match wanted.and_then(|wanted| lookup.find(&wanted)) {
            Ok(image) => drop(images.insert(image)),
            Err(code) => failures.push(code.of(id.clone())),
        }
    }
    Ok((images, failures))
}

/// Leases `images`, and the indexes that name them. Returns the leases of `images`.
fn lease(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: BTreeSet<Digest>,
    duration: Duration,
) -> Result<Vec<ImageLease>> {
    let mut all = images.clone();
    let mut named: Vec<Digest> = images.iter().copied().collect();
    while !named.is_empty() {
        let room = (images.len() + MAX_INDEXES).saturating_sub(all.len());
        let indexes = image::parents(tx, incarnation, &named, room)?;
        named = indexes
            .into_iter()
            .filter(|index| all.insert(*index))
            .collect();
    }
    let all: Vec<Digest> = all.into_iter().collect();
    // Held there: whoever removes one of them sees the lease, or is done before.
    let here = image::present(tx, incarnation, &all)?;
    let here: Vec<Digest> = here.into_iter().map(|(digest, _)| digest).collect();
    let until = tx.now().plus(duration);
    lease::raise(tx, incarnation, &here, until)?;
    let images: Vec<Digest> = images.into_iter().collect();
    let leases = lease::of_images(tx, incarnation, &images)?;
    Ok(leases.into_iter().map(ImageLease::from).collect())
}

impl From<(Digest, Timestamp)> for ImageLease {
    fn from((image_digest, expires_at): (Digest, Timestamp)) -> Self {
        Self {
            image_digest,
            expires_at,
        }
    }
}
