//! Docker schema 2 and OCI image manifests, one as the other: for clients that take only one of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Descriptor, Manifest, ManifestError, ManifestKind};
use crate::digest::Digest;
use crate::media_type::{
    DOCKER_FOREIGN_LAYER, DOCKER_FOREIGN_LAYER_GZIP, DOCKER_IMAGE_CONFIG, DOCKER_LAYER,
    DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD, DOCKER_MANIFEST_V2, MediaType, OCI_IMAGE_CONFIG,
    OCI_IMAGE_MANIFEST, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP,
};

/// The two formats of image manifests that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Docker schema 2.
    Docker,
    /// OCI image manifest.
    Oci,
}

impl ImageFormat {
    /// Returns the media type of manifests in the format.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Docker => DOCKER_MANIFEST_V2,
            Self::Oci => OCI_IMAGE_MANIFEST,
        }
    }
}

/// Why a manifest cannot be told in the other format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// It is not a manifest at all.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is a manifest, but not of an image.
    #[error("manifest `{0}` is not that of an image")]
    NotImage(MediaType),
    /// The other format has no counterpart of what it names.
    #[error("media type `{0}` has no counterpart")]
    NoCounterpart(MediaType),
}

/// Rewrites an image manifest in the other format; one that is in it already stays as it is.
///
/// Digests, sizes and URLs stay, media types change. Annotations, subject and embedded data have no place in schema 2
/// and are left out; what schema 2 holds, OCI can hold. The result is the same for the same bytes, always.
pub fn convert(
    bytes: &[u8],
    declared: Option<&MediaType>,
    to: ImageFormat,
) -> Result<Vec<u8>, ConvertError> {
    let manifest = Manifest::parse(bytes, declared)?;
    if manifest.kind != ManifestKind::Image {
        return Err(ConvertError::NotImage(manifest.media_type));
    }
    if manifest.media_type == to.media_type() {
        return Ok(bytes.to_vec());
    }
    let image = Image::of(&manifest, to)?;
    serde_json::to_vec(&image).map_err(|_| ConvertError::Manifest(ManifestError::NotJson))
}

/// What is written: members in the order that both specifications list them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: Part<'a>,
    layers: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    media_type: &'static str,
    size: u64,
    digest: Digest,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    urls: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Image<'a> {
    fn of(manifest: &'a Manifest, to: ImageFormat) -> Result<Self, ConvertError> {
        let config = manifest
            .config
            .as_ref()
            .ok_or_else(|| ConvertError::NotImage(manifest.media_type.clone()))?;
        Ok(Self {
            schema_version: 2,
            media_type: to.media_type(),
            config: Part::of(config, &[CONFIG], to)?,
            layers: manifest
                .layers
                .iter()
                .map(|layer| Part::of(layer, &LAYERS, to))
                .collect::<Result<_, _>>()?,
            annotations: annotations(&manifest.annotations, to),
        })
    }
}

impl<'a> Part<'a> {
    fn of(
        descriptor: &'a Descriptor,
        pairs: &[Pair],
        to: ImageFormat,
    ) -> Result<Self, ConvertError> {
        Ok(Self {
            media_type: counterpart(&descriptor.media_type, pairs, to)?,
            size: descriptor.size,
            digest: descriptor.digest,
            urls: &descriptor.urls,
            annotations: annotations(&descriptor.annotations, to),
        })
    }
}

fn annotations(
    of: &BTreeMap<String, String>,
    to: ImageFormat,
) -> Option<&BTreeMap<String, String>> {
    (to == ImageFormat::Oci && !of.is_empty()).then_some(of)
}

/// A media type of Docker and the same of OCI.
type Pair = (&'static str, &'static str);

const CONFIG: Pair = (DOCKER_IMAGE_CONFIG, OCI_IMAGE_CONFIG);
const LAYERS: [Pair; 5] = [
    (DOCKER_LAYER_GZIP, OCI_LAYER_GZIP),
    (DOCKER_LAYER, OCI_LAYER),
    (DOCKER_LAYER_ZSTD, OCI_LAYER_ZSTD),
    (DOCKER_FOREIGN_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER_GZIP),
    (DOCKER_FOREIGN_LAYER, OCI_NONDISTRIBUTABLE_LAYER),
];

fn counterpart(
    from: &MediaType,
    pairs: &[Pair],
    to: ImageFormat,
) -> Result<&'static str, ConvertError> {
    // Layers of the other family in a manifest of this one are found in the wild, and stay as they are.
    let ours = |pair: &Pair| match to {
        ImageFormat::Docker => pair.0,
        ImageFormat::Oci => pair.1,
    };
    let pair = pairs
        .iter()
        .find(|(docker, oci)| *from == *docker || *from == *oci);
    pair.map(ours)
        .ok_or_else(|| ConvertError::NoCounterpart(from.clone()))
}

#[cfg(test)]
mod tests;
