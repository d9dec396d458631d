//! Failures of single images in a batch, with the texts of `behaviour.md` section 26 where it has them.

use serde::Serialize;

use super::identifier::ImageIdentifier;

/// An image of a batch that could not be dealt with.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFailure {
    image_id: ImageIdentifier,
    failure_code: ImageFailureCode,
    failure_reason: &'static str,
}

/// Why it could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ImageFailureCode {
    /// The digest breaks the pattern of digests.
    InvalidImageDigest,
    /// The tag breaks the grammar of tags.
    InvalidImageTag,
    /// Digest and tag name different images.
    ImageTagDoesNotMatchDigest,
    /// There is no such image, or none of a type that the client takes.
    ImageNotFound,
    /// The identifier is empty.
    MissingDigestAndTag,
    /// An index that is still there names the image.
    ImageReferencedByManifestList,
    /// The image is archived, or not restored yet.
    ImageInaccessible,
}

impl ImageFailureCode {
    /// The failure of the image that `image_id` was to name.
    pub(crate) fn of(self, image_id: ImageIdentifier) -> ImageFailure {
        ImageFailure {
            image_id,
            failure_code: self,
            failure_reason: self.reason(),
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::InvalidImageDigest => {
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
            }
            Self::InvalidImageTag => {
                "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
            }
            Self::ImageTagDoesNotMatchDigest => {
                "Invalid request parameters: image tag does not match image digest"
            }
            Self::ImageNotFound => "Requested image not found",
            Self::MissingDigestAndTag => {
                "Invalid request parameters: both tag and digest cannot be null"
            }
            Self::ImageReferencedByManifestList => "Requested image referenced by manifest list",
            Self::ImageInaccessible => "Requested image is archived",
        }
    }
}
