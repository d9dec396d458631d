//! Manifests: what an image, an index or an artifact says that it is made of.
//!
//! The bytes are the manifest; what is parsed here is only what the registry needs to know about them.

use std::collections::BTreeMap;

use crate::media_type::{self, InvalidMediaType, MediaType};

mod body;
mod convert;
mod descriptor;
mod json;

use body::Body;
pub use convert::{ConvertError, ImageFormat, convert};
pub use descriptor::Descriptor;

/// The size of the largest manifest (ECR: 4,194,304 characters).
pub const MAX_MANIFEST_BYTES: usize = 4_194_304;

/// The most descriptors that a manifest may name: configuration, layers, children and subject together.
pub const MAX_DESCRIPTORS: usize = 1_000;

/// What sort of manifest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// A configuration and layers: OCI image manifest or Docker schema 2.
    Image,
    /// A list of manifests: OCI index or Docker manifest list.
    Index,
    /// Docker schema 1, signed or not.
    Schema1,
    /// An artifact manifest of ORAS or of the dropped OCI draft: blobs without a configuration.
    Artifact,
}

/// What a manifest says.
///
/// Invariants: the kind is that of the media type; layers only where there can be layers and children only in an
/// index; no more than [`MAX_DESCRIPTORS`]; no text holds NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The media type of the manifest itself.
    pub media_type: MediaType,
    /// Its sort.
    pub kind: ManifestKind,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, or the blobs of an artifact, in the order written. Schema 1 tells no size: it is 0.
    pub layers: Vec<Descriptor>,
    /// The manifests of an index.
    pub children: Vec<Descriptor>,
    /// The manifest that this one refers to; Docker's types have none.
    pub subject: Option<Descriptor>,
    /// The type of artifact as the referrers API tells it: `artifactType`, else for images the configuration's type.
    pub artifact_type: Option<String>,
    /// The annotations of the manifest itself.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are not a manifest that the registry takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than [`MAX_MANIFEST_BYTES`].
    #[error("manifest of {0} bytes is larger than {MAX_MANIFEST_BYTES}")]
    TooLarge(usize),
    /// It is not JSON, or nested too deep.
    #[error("manifest is not valid JSON")]
    NotJson,
    /// It is JSON, but not of the form that its media type asks for.
    #[error("manifest is invalid: {0}")]
    Invalid(String),
    /// Neither the manifest nor its sender names a media type.
    #[error("manifest has no media type")]
    MediaTypeMissing,
    /// The manifest and its sender name different media types (CVE-2021-41190).
    #[error("manifest is declared as `{declared}` but says that it is `{body}`")]
    MediaTypeMismatch {
        /// What the sender named.
        declared: MediaType,
        /// What the manifest names.
        body: MediaType,
    },
    /// The media type is of no kind of manifest that the registry knows.
    #[error("manifest media type `{0}` is not supported")]
    Unsupported(MediaType),
    /// It could be read as two kinds of manifest (CVE-2021-41190).
    #[error("manifest mixes the members of several kinds of manifest")]
    Ambiguous,
    /// It names more than [`MAX_DESCRIPTORS`] descriptors.
    #[error("manifest names {0} descriptors, more than {MAX_DESCRIPTORS}")]
    TooManyDescriptors(usize),
}

impl Manifest {
    /// Reads a manifest; `declared` is the type its sender gave, in a header or a parameter.
    ///
    /// The type in the body wins and must not contradict `declared`. Of members it knows, an object may hold each only
    /// once, and none that differs from one only in case: other readers would choose differently.
    pub fn parse(bytes: &[u8], declared: Option<&MediaType>) -> Result<Self, ManifestError> {
        let body = Body::parse(bytes)?;
        let media_type = decide_media_type(&body, declared)?;
        let kind = kind_of(&media_type)?;
        if body.is_ambiguous() {
            return Err(ManifestError::Ambiguous);
        }
        let n_descriptors = body.n_descriptors();
        if n_descriptors > MAX_DESCRIPTORS {
            return Err(ManifestError::TooManyDescriptors(n_descriptors));
        }
        body.into_manifest(media_type, kind)
    }

    /// Returns the media type of the configuration, if there is one.
    pub fn config_media_type(&self) -> Option<&MediaType> {
        self.config.as_ref().map(|config| &config.media_type)
    }

    /// Returns what must be in the repository: the configuration, then the layers that are not foreign.
    pub fn required_blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let layers = self.layers.iter().filter(|layer| !layer.foreign);
        self.config.iter().chain(layers)
    }

    /// Returns the sum of the sizes of the layers, the configuration not included.
    pub fn layer_bytes(&self) -> u64 {
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

fn decide_media_type(
    body: &Body,
    declared: Option<&MediaType>,
) -> Result<MediaType, ManifestError> {
    match (body.media_type()?, declared) {
        (Some(body), Some(declared)) if body != *declared => {
            Err(ManifestError::MediaTypeMismatch {
                declared: declared.clone(),
                body,
            })
        }
        (Some(body), _) => Ok(body),
        (None, Some(declared)) => Ok(declared.clone()),
        (None, None) => body
            .schema1_media_type()
            .ok_or(ManifestError::MediaTypeMissing),
    }
}

fn kind_of(media_type: &MediaType) -> Result<ManifestKind, ManifestError> {
    match media_type {
        of if of.is_image_manifest() => Ok(ManifestKind::Image),
        of if of.is_index() => Ok(ManifestKind::Index),
        of if of.is_schema1() => Ok(ManifestKind::Schema1),
        of if of.is_artifact_manifest() => Ok(ManifestKind::Artifact),
        of => Err(ManifestError::Unsupported(of.clone())),
    }
}

/// Whether the specification of the type knows `subject` and `artifactType`.
fn may_refer(media_type: &MediaType) -> bool {
    matches!(
        media_type.as_str(),
        media_type::OCI_IMAGE_MANIFEST | media_type::OCI_IMAGE_INDEX
    ) || media_type.is_artifact_manifest()
}

impl From<InvalidMediaType> for ManifestError {
    fn from(error: InvalidMediaType) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
