//! The operation on images that only ECR Public has: `DescribeImageTags`.

use std::collections::HashMap;

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::{
        image::{self, Detail},
        tag::{self, Tagged},
    },
};

/// Tells the tags of a repository in pages by name, each with its image.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeImageTags {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Tags, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedImageTags {
    image_tag_details: Vec<ImageTagDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A tag, since when it has named its image, and that.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTagDetail {
    image_tag: String,
    created_at: f64,
    image_detail: ReferencedImageDetail,
}

/// An image that a tag names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferencedImageDetail {
    image_digest: Digest,
    image_size_in_bytes: i64,
    image_pushed_at: f64,
    image_manifest_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_media_type: Option<String>,
}

impl Operation for DescribeImageTags {
    type Output = DescribedImageTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        PageSize::USUAL.check(self.max_results)?;
        on_repository(
            EcrPublic::DescribeImageTags,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedImageTags> {
        let grant = permit.grant();
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = format!("DescribeImageTags {}", grant.repository()?.incarnation);
        let tokens = &cx.core.tokens;
        let paging = page::Paging::<String>::read(tokens, list, size, self.next_token.as_deref())?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let (mut tags, images) = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                let tags = tag::page_with_images(tx, incarnation, &after, limit)?;
                let mut images: Vec<Digest> = tags.iter().map(|tag| tag.image).collect();
                images.sort();
                images.dedup();
                let images = image::details(tx, incarnation, &images)?;
                Ok((tags, images))
            })
            .await?;
        let next_token = paging.cut(tokens, &mut tags, |tag| tag.name.clone())?;
        let images = images.iter().map(|image| (image.digest, image)).collect();
        let details = tags.into_iter().map(|tag| ImageTagDetail::of(tag, &images));
        Ok(DescribedImageTags {
            image_tag_details: details.collect::<Result<_>>()?,
            next_token,
        })
    }
}

impl ImageTagDetail {
    fn of(tag: Tagged, images: &HashMap<Digest, &Detail>) -> Result<Self> {
        let image = images.get(&tag.image);
        let image = image.ok_or_else(|| Error::internal("a tag without its image"))?;
        Ok(Self {
            image_tag: tag.name,
            created_at: tag.created_at.as_epoch_seconds(),
            image_detail: ReferencedImageDetail {
                image_digest: image.digest,
                image_size_in_bytes: image.size,
                image_pushed_at: image.pushed_at.as_epoch_seconds(),
                image_manifest_media_type: image.media_type.clone(),
                artifact_media_type: image.artifact_media_type.clone(),
            },
        })
    }
}
