//! Finding the images that a request's identifiers name, in two statements however many they are.

use std::collections::HashMap;

use longshore_store::meta::Tx;
use longshore_types::{digest::Digest, id::Incarnation, name::ImageTag};

use super::{failure::ImageFailureCode, identifier::Wanted};
use crate::{
    error::Result,
    table::{image, tag},
};

/// The images that some tags and digests name.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    by_tag: HashMap<ImageTag, Digest>,
    by_digest: HashMap<Digest, Digest>,
}

impl Lookup {
    /// Looks up all of `wanted`.
    pub(crate) fn of<'a>(
        tx: &mut dyn Tx,
        incarnation: Incarnation,
        wanted: impl Iterator<Item = &'a Wanted> + Clone,
    ) -> Result<Self> {
        let tags: Vec<ImageTag> = wanted
            .clone()
            .filter_map(|wanted| wanted.tag.clone())
            .collect();
        let digests: Vec<Digest> = wanted
            .filter_map(|wanted| wanted.digest.as_ref()?.known)
            .collect();
        Ok(Self {
            by_tag: tag::named(tx, incarnation, &tags)?,
            by_digest: image::resolve_all(tx, incarnation, &digests)?,
        })
    }

    /// Returns the image that `wanted` names.
    pub(crate) fn find(&self, wanted: &Wanted) -> Result<Digest, ImageFailureCode> {
        let tagged = wanted.tag.as_ref().map(|tag| self.by_tag.get(tag));
        let Some(text) = &wanted.digest else {
            let tagged = tagged.flatten().copied();
            return tagged.ok_or(ImageFailureCode::ImageNotFound);
        };
        let image = text.known.and_then(|digest| self.by_digest.get(&digest));
        let image = *image.ok_or(ImageFailureCode::ImageNotFound)?;
        match tagged {
            Some(tagged) if tagged != Some(&image) => {
                Err(ImageFailureCode::ImageTagDoesNotMatchDigest)
            }
            _ => Ok(image),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn wanted(asked: Option<Digest>, tag: Option<&str>) -> Wanted {
        Wanted {
            digest: asked.map(|digest| digest.to_string().parse().unwrap()),
            tag: tag.map(|tag| tag.parse().unwrap()),
        }
    }

    #[test]
    fn digest_and_tag_must_name_the_same_image() {
        let alias = Digest::sha512([1; 64]);
        let lookup = Lookup {
            by_tag: HashMap::from([("v1".parse().unwrap(), digest(1))]),
            by_digest: HashMap::from([
                (digest(1), digest(1)),
                (digest(2), digest(2)),
                (alias, digest(1)),
            ]),
        };
        for (asked, tag, found) in [
            (None, Some("v1"), Ok(digest(1))),
            (Some(digest(1)), None, Ok(digest(1))),
            (Some(alias), Some("v1"), Ok(digest(1))),
            (None, Some("v2"), Err(ImageFailureCode::ImageNotFound)),
            (Some(digest(3)), None, Err(ImageFailureCode::ImageNotFound)),
            (
                Some(digest(3)),
                Some("v1"),
                Err(ImageFailureCode::ImageNotFound),
            ),
            (
                Some(digest(2)),
                Some("v1"),
                Err(ImageFailureCode::ImageTagDoesNotMatchDigest),
            ),
            (
                Some(digest(1)),
                Some("v2"),
                Err(ImageFailureCode::ImageTagDoesNotMatchDigest),
            ),
        ] {
            assert_eq!(lookup.find(&wanted(asked, tag)), found);
        }
    }
}
