//! Serving manifests: what a client takes, and the one conversion there is.

use bytes::Bytes;
use longshore_store::crypto::DomainKeys;
use longshore_types::{
    digest::Digest,
    manifest::{ImageFormat, convert},
    media_type::{self, MediaType},
};

use super::image::manifest_aad;
use crate::error::{Error, Result};

/// Which media types a client takes.
#[derive(Clone, Debug, Default)]
pub struct Accept(Option<Vec<MediaType>>);

impl Accept {
    /// Takes anything.
    pub fn anything() -> Self {
        Self(None)
    }

    /// Takes these only.
    pub fn only(types: Vec<MediaType>) -> Self {
        Self(Some(types))
    }

    /// Whether the client takes `media_type`.
    pub(crate) fn takes(&self, media_type: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|types| types.iter().any(|accepted| accepted.as_str() == media_type))
    }

    /// The format to convert a manifest of `media_type` to for this client: only between Docker schema 2 and OCI
    /// (`behaviour.md` section 11.1).
    pub(crate) fn counterpart(&self, media_type: &str) -> Option<ImageFormat> {
        let target = match media_type {
            media_type::DOCKER_MANIFEST_V2 => ImageFormat::Oci,
            media_type::OCI_IMAGE_MANIFEST => ImageFormat::Docker,
            _ => return None,
        };
        self.takes(target.media_type()).then_some(target)
    }
}

/// Opens a sealed manifest.
pub(crate) fn open(keys: &DomainKeys, digest: &Digest, sealed: &[u8]) -> Result<Bytes> {
    let bytes = keys
        .open(&manifest_aad(digest), sealed)
        .map_err(Error::internal)?;
    Ok(bytes.into())
}

/// Tells a manifest in the other format, if that can say what it says.
pub(crate) fn converted(
    stored: &[u8],
    media_type: &str,
    target: ImageFormat,
) -> Result<Option<Vec<u8>>> {
    let declared: MediaType = media_type.parse().map_err(Error::internal)?;
    Ok(convert(stored, Some(&declared), target).ok())
}
