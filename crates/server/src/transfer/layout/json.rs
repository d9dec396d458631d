//! The JSON files of a layout.

use std::collections::BTreeMap;

use longshore_types::{
    digest::Digest,
    manifest::Descriptor,
    media_type::{MediaType, OCI_IMAGE_INDEX},
};
use serde::{Deserialize, Serialize};

use crate::transfer::target::Image;

/// Says that a directory or archive is a layout.
pub(super) const OCI_LAYOUT: &str = "oci-layout";
/// What is in it.
pub(super) const INDEX: &str = "index.json";
/// What ECR has to tell of its repositories.
pub(super) const SIDE_FILE: &str = "longshore.json";
/// What `oci-layout` says.
pub(super) const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// The annotation that names an image; a tag, or `REPOSITORY:TAG` where several repositories are in a layout.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// containerd's and Docker's annotation that names an image with its registry.
pub(super) const IMAGE_NAME: &str = "io.containerd.image.name";
/// Our own annotation that names the repository.
pub(super) const REPOSITORY: &str = "longshore.repository";

/// `oci-layout`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayoutVersion {
    pub(super) image_layout_version: String,
}

/// `index.json`, as it is read.
#[derive(Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

/// `index.json`, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewIndex {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<NewDescriptor>,
}

/// An image of a written index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewDescriptor {
    media_type: MediaType,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    annotations: BTreeMap<&'static str, String>,
}

/// What a list tells of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    /// Of the manifest, in bytes.
    pub(super) size: u64,
    pub(super) artifact_type: Option<String>,
}

impl From<&Image> for Listing {
    fn from(image: &Image) -> Self {
        Self {
            digest: image.digest,
            media_type: image.media_type.clone(),
            size: image.bytes.len() as u64,
            artifact_type: image.artifact_type.clone(),
        }
    }
}

impl From<&Descriptor> for Listing {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
            artifact_type: descriptor.artifact_type.clone(),
        }
    }
}

impl NewIndex {
    pub(super) fn of(manifests: Vec<NewDescriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: OCI_IMAGE_INDEX,
            manifests,
        }
    }
}

impl NewDescriptor {
    /// An image of a repository, under a name if it has one.
    pub(super) fn of(listing: &Listing, repository: &str, name: Option<String>) -> Self {
        let mut annotations = BTreeMap::from([(REPOSITORY, repository.to_owned())]);
        annotations.extend(name.map(|name| (REF_NAME, name)));
        Self {
            media_type: listing.media_type.clone(),
            digest: listing.digest,
            size: listing.size,
            artifact_type: listing.artifact_type.clone(),
            annotations,
        }
    }
}

/// Where a layout keeps a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}", digest.to_string().replace(':', "/"))
}
