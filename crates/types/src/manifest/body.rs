//! The JSON of a manifest of any kind, before its media type is known.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use super::json::{self, Annotations, Bounded, Members, Text};
use super::{Descriptor, MAX_MANIFEST_BYTES, Manifest, ManifestError, ManifestKind, may_refer};
use crate::digest::Digest;
use crate::media_type::{
    DOCKER_MANIFEST_V1, DOCKER_MANIFEST_V1_SIGNED, InvalidMediaType, MediaType,
};

/// The members that any kind of manifest has.
#[derive(Default)]
pub(super) struct Body {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: List<Descriptor>,
    manifests: List<Descriptor>,
    blobs: List<Descriptor>,
    fs_layers: List<FsLayer>,
    is_signed: bool,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

/// A list member: absent, `null` (how Go writes an empty list), or a list.
#[derive(Default)]
enum List<T> {
    #[default]
    Absent,
    Null,
    Of(Bounded<T>),
}

impl<T> List<T> {
    fn new(value: Option<Bounded<T>>) -> Self {
        value.map_or(Self::Null, Self::Of)
    }

    const fn count(&self) -> usize {
        match self {
            Self::Of(list) => list.count,
            Self::Absent | Self::Null => 0,
        }
    }

    const fn is_list(&self) -> bool {
        matches!(self, Self::Of(_))
    }

    fn required(self, name: &str) -> Result<Vec<T>, ManifestError> {
        match self {
            Self::Absent => Err(missing(name)),
            Self::Null => Ok(Vec::new()),
            Self::Of(list) => Ok(list.items),
        }
    }
}

fn missing(name: &str) -> ManifestError {
    ManifestError::Invalid(format!("member `{name}` is missing"))
}

impl Body {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        // The parser does not look into texts that it passes over, and the AWS API gives manifests as text.
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotJson)?;
        if json::is_too_deep(text) {
            return Err(ManifestError::NotJson);
        }
        serde_json::from_str(text).map_err(|error| match error.classify() {
            // The text of the error may quote the manifest, which may be long.
            Category::Data => ManifestError::Invalid(error.to_string().chars().take(200).collect()),
            Category::Io | Category::Syntax | Category::Eof => ManifestError::NotJson,
        })
    }

    /// Returns the media type that the body names; an empty one is how Go writes none.
    pub(super) fn media_type(&self) -> Result<Option<MediaType>, InvalidMediaType> {
        let named = self.media_type.as_deref().filter(|text| !text.is_empty());
        named.map(str::parse).transpose()
    }

    /// Returns the media type of a schema 1 manifest, the one kind that is known without naming it.
    pub(super) fn schema1_media_type(&self) -> Option<MediaType> {
        let is_schema1 = self.schema_version == Some(1) && self.fs_layers.is_list();
        let media_type = if self.is_signed {
            DOCKER_MANIFEST_V1_SIGNED
        } else {
            DOCKER_MANIFEST_V1
        };
        if is_schema1 {
            media_type.parse().ok()
        } else {
            None
        }
    }

    /// Whether the body has members that only manifests of different kinds have.
    pub(super) const fn is_ambiguous(&self) -> bool {
        let is_image = self.config.is_some() || self.layers.is_list();
        let kinds = [
            is_image,
            self.manifests.is_list(),
            self.blobs.is_list(),
            self.fs_layers.is_list(),
        ];
        let [image, index, artifact, schema1] = kinds;
        image as u8 + index as u8 + artifact as u8 + schema1 as u8 > 1
    }

    pub(super) fn n_descriptors(&self) -> usize {
        let lists = [
            self.layers.count(),
            self.manifests.count(),
            self.blobs.count(),
            self.fs_layers.count(),
        ];
        lists.iter().sum::<usize>()
            + usize::from(self.config.is_some())
            + usize::from(self.subject.is_some())
    }

    pub(super) fn into_manifest(
        mut self,
        media_type: MediaType,
        kind: ManifestKind,
    ) -> Result<Manifest, ManifestError> {
        self.check_schema_version(kind)?;
        let refers = may_refer(&media_type);
        let subject = self.subject.take().filter(|_| refers);
        let artifact_type = self.artifact_type.take().filter(|_| refers);
        let annotations = std::mem::take(&mut self.annotations);
        let (config, layers, children) = self.into_parts(kind)?;
        let config_type = config.as_ref().map(|config| config.media_type.to_string());
        let artifact_type = artifact_type.or(config_type);
        Ok(Manifest {
            media_type,
            kind,
            config,
            layers,
            children,
            subject,
            artifact_type,
            annotations,
        })
    }

    fn check_schema_version(&self, kind: ManifestKind) -> Result<(), ManifestError> {
        let expected = match kind {
            ManifestKind::Image | ManifestKind::Index => 2,
            ManifestKind::Schema1 => 1,
            // Artifact manifests have no such member.
            ManifestKind::Artifact => return Ok(()),
        };
        match self.schema_version {
            Some(version) if version == expected => Ok(()),
            Some(_) => Err(ManifestError::Invalid(format!(
                "schemaVersion is not {expected}"
            ))),
            None => Err(missing("schemaVersion")),
        }
    }

    fn into_parts(self, kind: ManifestKind) -> Result<Parts, ManifestError> {
        let as_layers =
            |list: Vec<Descriptor>| list.into_iter().map(Descriptor::into_layer).collect();
        match kind {
            ManifestKind::Image => {
                let config = self.config.ok_or_else(|| missing("config"))?;
                Ok((
                    Some(config),
                    as_layers(self.layers.required("layers")?),
                    Vec::new(),
                ))
            }
            ManifestKind::Index => Ok((None, Vec::new(), self.manifests.required("manifests")?)),
            ManifestKind::Schema1 => {
                let layers = self.fs_layers.required("fsLayers")?.into_iter();
                let layers = layers
                    .map(|layer| Descriptor::of_schema1(layer.blob_sum))
                    .collect::<Result<_, _>>()?;
                Ok((None, layers, Vec::new()))
            }
            // An artifact without blobs is valid: it may be nothing but annotations on its subject.
            ManifestKind::Artifact => {
                let blobs = self.blobs.required("blobs").unwrap_or_default();
                Ok((None, as_layers(blobs), Vec::new()))
            }
        }
    }
}

/// Configuration, layers, children.
type Parts = (Option<Descriptor>, Vec<Descriptor>, Vec<Descriptor>);

const MEMBERS: [&str; 11] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "fsLayers",
    "signatures",
    "subject",
    "annotations",
];

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        let mut members = Members::new(map, &MEMBERS);
        while let Some(member) = members.next()? {
            match member {
                "schemaVersion" => body.schema_version = members.value()?,
                "mediaType" => body.media_type = members.value()?,
                "artifactType" => {
                    body.artifact_type = json::artifact_type(members.value::<Text>()?)?;
                }
                "config" => body.config = members.value()?,
                "layers" => body.layers = List::new(members.value()?),
                "manifests" => body.manifests = List::new(members.value()?),
                "blobs" => body.blobs = List::new(members.value()?),
                "fsLayers" => body.fs_layers = List::new(members.value()?),
                "signatures" => body.is_signed = members.value::<IgnoredAny>()?.is_some(),
                "subject" => body.subject = members.value()?,
                _ => body.annotations = Annotations::or_none(members.value()?),
            }
        }
        Ok(body)
    }
}

/// A layer of a schema 1 manifest.
struct FsLayer {
    blob_sum: Digest,
}

impl<'de> Deserialize<'de> for FsLayer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FsLayerVisitor)
    }
}

struct FsLayerVisitor;

impl<'de> Visitor<'de> for FsLayerVisitor {
    type Value = FsLayer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a layer with a blobSum")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FsLayer, A::Error> {
        let mut blob_sum = None;
        let mut members = Members::new(map, &["blobSum"]);
        while members.next()?.is_some() {
            blob_sum = members.value()?;
        }
        blob_sum
            .map(|blob_sum| FsLayer { blob_sum })
            .ok_or_else(|| A::Error::missing_field("blobSum"))
    }
}
