//! `DescribeImages`.

use std::collections::HashMap;

use longshore_store::meta::Tx;
use longshore_types::{
    account::{AccountId, RegistryKind},
    digest::Digest,
    id::Incarnation,
    name::{ImageTag, RepositoryName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    failure::ImageFailureCode,
    filter::{Filter, FilterInput},
    identifier::{ImageIdentifier, Wanted},
    lookup::Lookup,
    scan::{Scanned, scan},
};
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Form, Member, check_length},
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::{
        image::{self, Detail},
        repository::Repository,
        tag,
    },
};

const MAX_IDS: usize = 100;
/// How many tags one page tells; it ends before an image whose tags would be more, unless that is its first.
const TAGS_PER_PAGE: usize = 5000;

/// Tells about images: those named, or all in pages by digest (`behaviour.md` section 11.2).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeImages {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
    next_token: Option<String>,
    max_results: Option<i64>,
    filter: Option<FilterInput>,
}

/// Images, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedImages {
    image_details: Vec<ImageDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An image without its manifest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDetail {
    registry_id: AccountId,
    repository_name: RepositoryName,
    image_digest: Digest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    image_size_in_bytes: i64,
    image_pushed_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_pull_time: Option<f64>,
    image_manifest_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_manifest_digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_archived_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activated_at: Option<f64>,
}

impl Operation for DescribeImages {
    type Output = DescribedImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::DescribeImages,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PageSize::USUAL.check(self.max_results)?;
        FilterInput::read(self.filter.as_ref())?;
        self.wanted()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedImages> {
        let grant = permit.grant();
        let filter = FilterInput::read(self.filter.as_ref())?;
        match self.wanted()? {
            Some(wanted) => described(cx, grant, wanted, filter).await,
            None => self.page(cx, grant, filter).await,
        }
    }
}

impl DescribeImages {
    /// The images named, if any are; then there are no pages.
    fn wanted(&self) -> Result<Option<Vec<(ImageIdentifier, Wanted)>>> {
        let Some(ids) = &self.image_ids else {
            return Ok(None);
        };
        check_length("imageIds", ids.len(), MAX_IDS)?;
        page::refuse_with("imageIds", self.max_results, self.next_token.as_deref())?;
        let wanted = |id: &ImageIdentifier| {
            let wanted = id.wanted().map_err(|code| refusal("imageIds", code))?;
            Ok((id.clone(), wanted))
        };
        ids.iter().map(wanted).collect::<Result<_>>().map(Some)
    }

    async fn page(&self, cx: &Cx<'_>, grant: &Grant, filter: Filter) -> Result<DescribedImages> {
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = format!(
            "DescribeImages {} {filter:?}",
            grant.repository()?.incarnation
        );
        let after: Option<Digest> =
            page::resume(&cx.core.tokens, &list, self.next_token.as_deref())?;
        let (scanned, tags, repository) = cx
            .read(grant, move |tx, grant| {
                let repository = grant.repository()?.clone();
                let (scanned, tags) = read_page(tx, repository.incarnation, after, filter, size)?;
                Ok((scanned, tags, repository))
            })
            .await?;
        let next_token = scanned
            .next
            .map(|next| page::next_token(&cx.core.tokens, &list, &next))
            .transpose()?;
        Ok(DescribedImages {
            image_details: details(&repository, scanned.images, tags),
            next_token,
        })
    }
}

type Tags = HashMap<Digest, Vec<String>>;

fn read_page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: Option<Digest>,
    filter: Filter,
    size: usize,
) -> Result<(Scanned, Tags)> {
    let mut scanned = scan(tx, incarnation, after, filter, size)?;
    let digests: Vec<Digest> = scanned.images.iter().map(|image| image.digest).collect();
    let mut tags = tag::of_images(tx, incarnation, &digests, TAGS_PER_PAGE + 1)?;
    if tags.len() > TAGS_PER_PAGE
        && let Some((last, _)) = tags.pop()
    {
        // The tags of this image may not be all there.
        let kept = digests.iter().take_while(|digest| **digest < last).count();
        scanned.cut(kept.max(1));
        tags = match (kept, digests.first()) {
            (0, Some(first)) => tag::of_images(tx, incarnation, &[*first], usize::MAX)?,
            _ => tags,
        };
    }
    Ok((scanned, by_image(tags)))
}

async fn described(
    cx: &Cx<'_>,
    grant: &Grant,
    wanted: Vec<(ImageIdentifier, Wanted)>,
    filter: Filter,
) -> Result<DescribedImages> {
    let (images, tags, repository) = cx
        .read(grant, move |tx, grant| {
            let repository = grant.repository()?.clone();
            let digests = find(tx, &repository, &wanted)?;
            let images = image::details(tx, repository.incarnation, &digests)?;
            let tags = tag::of_images(tx, repository.incarnation, &digests, usize::MAX)?;
            Ok((images, by_image(tags), repository))
        })
        .await?;
    let passes =
        |image: &Detail| filter.takes(tags.contains_key(&image.digest), image.storage.status);
    let images = images.into_iter().filter(passes).collect();
    Ok(DescribedImages {
        image_details: details(&repository, images, tags),
        next_token: None,
    })
}

/// Finds all images, each once; the first that is not there fails the call.
fn find(
    tx: &mut dyn Tx,
    repository: &Repository,
    wanted: &[(ImageIdentifier, Wanted)],
) -> Result<Vec<Digest>> {
    let lookup = Lookup::of(
        tx,
        repository.incarnation,
        wanted.iter().map(|(_, wanted)| wanted),
    )?;
    let mut digests = Vec::with_capacity(wanted.len());
    for (id, wanted) in wanted {
        let digest = lookup.find(wanted).map_err(|_| not_found(repository, id))?;
        digests.push(digest);
    }
    digests.sort();
    digests.dedup();
    Ok(digests)
}

pub(super) fn not_found(repository: &Repository, id: &ImageIdentifier) -> Error {
    let (digest, tag) = id.texts();
    Error::ImageNotFound {
        digest,
        tag,
        name: repository.name.clone(),
        account: repository.registry.account(),
    }
}

/// An identifier in `member` that can name no image; a describe has no failures to put it under.
pub(in crate::op) fn refusal(member: &str, code: ImageFailureCode) -> Error {
    match code {
        ImageFailureCode::InvalidImageDigest => Error::invalid(
            &format!("{member}.imageDigest"),
            <Digest as Form>::constraint(),
        ),
        ImageFailureCode::InvalidImageTag => Error::invalid(
            &format!("{member}.imageTag"),
            <ImageTag as Form>::constraint(),
        ),
        ImageFailureCode::MissingDigestAndTag
        | ImageFailureCode::ImageNotFound
        | ImageFailureCode::ImageTagDoesNotMatchDigest
        | ImageFailureCode::ImageReferencedByManifestList
        | ImageFailureCode::ImageInaccessible => {
            Error::invalid(member, "both tag and digest cannot be null")
        }
    }
}

fn by_image(tags: Vec<(Digest, String)>) -> Tags {
    let mut by_image = Tags::new();
    for (image, tag) in tags {
        by_image.entry(image).or_default().push(tag);
    }
    by_image
}

fn details(repository: &Repository, images: Vec<Detail>, mut tags: Tags) -> Vec<ImageDetail> {
    // ECR Public tells less.
    let is_private = repository.registry.kind() == RegistryKind::Private;
    let detail = |image: Detail| ImageDetail {
        registry_id: repository.registry.account(),
        repository_name: repository.name.clone(),
        image_digest: image.digest,
        image_tags: tags.remove(&image.digest).unwrap_or_default(),
        image_size_in_bytes: image.size,
        image_pushed_at: image.pushed_at.as_epoch_seconds(),
        last_recorded_pull_time: image
            .pulled_at
            .filter(|_| is_private)
            .map(Timestamp::as_epoch_seconds),
        image_manifest_media_type: image.media_type,
        artifact_media_type: image.artifact_media_type,
        subject_manifest_digest: image.subject.filter(|_| is_private),
        image_status: is_private.then_some(image.storage.status.word()),
        last_archived_at: image.storage.archived_at.map(Timestamp::as_epoch_seconds),
        last_activated_at: image.storage.activated_at.map(Timestamp::as_epoch_seconds),
    };
    images.into_iter().map(detail).collect()
}
