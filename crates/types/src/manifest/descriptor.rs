//! Descriptors: how a manifest names what it is made of.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::json::{self, Annotations, Members, Text};
use crate::digest::Digest;
use crate::media_type::{self, MediaType};

/// What a manifest says of a blob or of another manifest (OCI image specification, "Content Descriptors").
///
/// Invariants: the size is below 2^63; no text holds NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// The media type, without parameters.
    pub media_type: MediaType,
    /// The digest.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
    /// The type of artifact, of a manifest in an index.
    pub artifact_type: Option<String>,
    /// Whether it is a layer that need not be in the registry.
    pub foreign: bool,
    /// Where a foreign layer can be fetched from.
    pub urls: Vec<String>,
    /// The annotations of this descriptor.
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Makes the layer of a schema 1 manifest, which tells nothing but the digest.
    pub(super) fn of_schema1(digest: Digest) -> Result<Self, media_type::InvalidMediaType> {
        let media_type = media_type::DOCKER_LAYER_GZIP.parse()?;
        let (urls, annotations) = (Vec::new(), BTreeMap::new());
        Ok(Self {
            media_type,
            digest,
            size: 0,
            artifact_type: None,
            foreign: false,
            urls,
            annotations,
        })
    }

    /// Marks a layer that is fetched from elsewhere. Of configurations and manifests no such type excuses an absence.
    pub(super) fn into_layer(mut self) -> Self {
        self.foreign = self.media_type.is_foreign_layer();
        self
    }
}

const MEMBERS: [&str; 6] = [
    "mediaType",
    "digest",
    "size",
    "artifactType",
    "urls",
    "annotations",
];

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DescriptorVisitor)
    }
}

struct DescriptorVisitor;

impl<'de> Visitor<'de> for DescriptorVisitor {
    type Value = Descriptor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a descriptor")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Descriptor, A::Error> {
        let (mut media_type, mut digest, mut size) = (None, None, None);
        let (mut artifact_type, mut urls, mut annotations) = (None, None, None);
        let mut members = Members::new(map, &MEMBERS);
        while let Some(member) = members.next()? {
            match member {
                "mediaType" => media_type = members.value::<String>()?,
                "digest" => digest = members.value()?,
                "size" => size = members.value()?,
                "artifactType" => artifact_type = members.value::<Text>()?,
                "urls" => urls = members.value::<Vec<Text>>()?,
                _ => annotations = members.value::<Annotations>()?,
            }
        }
        let media_type = media_type.ok_or_else(|| A::Error::missing_field("mediaType"))?;
        Ok(Descriptor {
            media_type: MediaType::from_content_type(&media_type).map_err(A::Error::custom)?,
            digest: digest.ok_or_else(|| A::Error::missing_field("digest"))?,
            size: size_of(size)?,
            artifact_type: json::artifact_type(artifact_type)?,
            foreign: false,
            urls: urls
                .unwrap_or_default()
                .into_iter()
                .map(|Text(url)| url)
                .collect(),
            annotations: Annotations::or_none(annotations),
        })
    }
}

/// The OCI specification makes sizes `int64`, and so does every SQL engine.
fn size_of<E: Error>(size: Option<u64>) -> Result<u64, E> {
    let size = size.ok_or_else(|| E::missing_field("size"))?;
    if i64::try_from(size).is_ok() {
        Ok(size)
    } else {
        Err(E::custom("size does not fit 63 bits"))
    }
}
