//! `ImageIdentifier`: an image by digest, by tag, or by both.

use longshore_types::{digest::Digest, name::ImageTag};
use serde::{Deserialize, Serialize};

use super::failure::ImageFailureCode;
use crate::op::digest::DigestText;

/// An image by digest, by tag, or by both, as the wire has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageIdentifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
}

/// An identifier that can name an image: it has a digest, a tag or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(super) digest: Option<DigestText>,
    pub(super) tag: Option<ImageTag>,
}

impl Wanted {
    /// The digest, if it is given and something here can have it.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest.as_ref()?.known
    }
}

impl ImageIdentifier {
    /// Tells an image by its digest and, if there is one, a tag.
    pub(super) fn new(digest: &Digest, tag: Option<&str>) -> Self {
        Self {
            image_digest: Some(digest.to_string()),
            image_tag: tag.map(str::to_owned),
        }
    }

    /// Reads the identifier.
    pub(crate) fn wanted(&self) -> Result<Wanted, ImageFailureCode> {
        let digest = self.image_digest.as_deref().map(str::parse).transpose();
        let tag = self.image_tag.as_deref().map(str::parse).transpose();
        let wanted = Wanted {
            digest: digest.map_err(|_| ImageFailureCode::InvalidImageDigest)?,
            tag: tag.map_err(|_| ImageFailureCode::InvalidImageTag)?,
        };
        if wanted.digest.is_none() && wanted.tag.is_none() {
            return Err(ImageFailureCode::MissingDigestAndTag);
        }
        Ok(wanted)
    }

    /// The digest and the tag as errors print them, `null` for what is not given.
    pub(super) fn texts(&self) -> (String, String) {
        let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        (text(&self.image_digest), text(&self.image_tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(digest: Option<&str>, tag: Option<&str>) -> Result<Wanted, ImageFailureCode> {
        let identifier = ImageIdentifier {
            image_digest: digest.map(str::to_owned),
            image_tag: tag.map(str::to_owned),
        };
        identifier.wanted()
    }

    #[test]
    fn a_digest_a_tag_or_both_can_name_an_image() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (digest, tag) in [
            (Some(digest.as_str()), None),
            (None, Some("v1")),
            (Some("sha256:ab"), Some("v1")),
        ] {
            let wanted = wanted(digest, tag).unwrap();
            assert_eq!(wanted.digest.as_ref().map(DigestText::as_str), digest);
            assert_eq!(wanted.tag.as_ref().map(ImageTag::as_str), tag);
        }
    }

    #[test]
    fn what_can_name_no_image_has_its_failure_code() {
        for (digest, tag, code) in [
            (None, None, ImageFailureCode::MissingDigestAndTag),
            (Some("nonsense"), None, ImageFailureCode::InvalidImageDigest),
            (Some(""), Some("v1"), ImageFailureCode::InvalidImageDigest),
            (None, Some(""), ImageFailureCode::InvalidImageTag),
            (
                Some("sha256:ab"),
                Some("a b"),
                ImageFailureCode::InvalidImageTag,
            ),
        ] {
            assert_eq!(wanted(digest, tag), Err(code));
        }
    }
}
