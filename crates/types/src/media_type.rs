//! Media types of manifests and of what they name.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// Docker image manifest, schema 1, unsigned.
pub const DOCKER_MANIFEST_V1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker image manifest, schema 1, signed.
pub const DOCKER_MANIFEST_V1_SIGNED: &str =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker image manifest, schema 2.
pub const DOCKER_MANIFEST_V2: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI image manifest.
pub const OCI_IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI artifact manifest, a draft of OCI 1.1 that was dropped.
pub const OCI_ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// ORAS artifact manifest, its forerunner.
pub const ORAS_ARTIFACT_MANIFEST: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";

/// Docker image configuration.
pub const DOCKER_IMAGE_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer, zstd.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
/// Docker layer that is fetched from its own URLs and may not be distributed (Windows).
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// The same, gzip.
pub const DOCKER_FOREIGN_LAYER_GZIP: &str =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// OCI image configuration.
pub const OCI_IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer, gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer, zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// OCI layer that may not be distributed.
pub const OCI_NONDISTRIBUTABLE_LAYER: &str =
    "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// OCI layer that may not be distributed, gzip.
pub const OCI_NONDISTRIBUTABLE_LAYER_GZIP: &str =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
/// OCI layer that may not be distributed, zstd.
pub const OCI_NONDISTRIBUTABLE_LAYER_ZSTD: &str =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
/// OCI empty descriptor: the two bytes `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Helm chart configuration.
pub const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

/// A media type without parameters.
///
/// Invariants (RFC 6838, section 4.2): `type/subtype`, each a letter or digit and up to 126 of
/// `A-Z a-z 0-9 ! # $ & - ^ _ . +`; at most 255 characters. The case is kept and told apart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Box<str>);

/// The text is not a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("media type is not of the form `type/subtype` of RFC 6838")]
pub struct InvalidMediaType;

impl MediaType {
    /// Reads the value of a `Content-Type` header, leaving its parameters out.
    pub fn from_content_type(header: &str) -> Result<Self, InvalidMediaType> {
        let (essence, _) = header.split_once(';').unwrap_or((header, ""));
        essence.trim_matches([' ', '\t']).parse()
    }

    /// Returns the media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an OCI index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), OCI_IMAGE_INDEX | DOCKER_MANIFEST_LIST)
    }

    /// Whether it is a manifest with a configuration and layers: OCI or Docker schema 2.
    pub fn is_image_manifest(&self) -> bool {
        matches!(self.as_str(), OCI_IMAGE_MANIFEST | DOCKER_MANIFEST_V2)
    }

    /// Whether it is a Docker schema 1 manifest, signed or not.
    pub fn is_schema1(&self) -> bool {
        matches!(
            self.as_str(),
            DOCKER_MANIFEST_V1 | DOCKER_MANIFEST_V1_SIGNED
        )
    }

    /// Whether it is an artifact manifest of ORAS or of the dropped OCI draft.
    pub fn is_artifact_manifest(&self) -> bool {
        matches!(
            self.as_str(),
            OCI_ARTIFACT_MANIFEST | ORAS_ARTIFACT_MANIFEST
        )
    }

    /// Whether a layer of it need not be in the registry, being fetched from elsewhere.
    pub fn is_foreign_layer(&self) -> bool {
        matches!(
            self.as_str(),
            DOCKER_FOREIGN_LAYER
                | DOCKER_FOREIGN_LAYER_GZIP
                | OCI_NONDISTRIBUTABLE_LAYER
                | OCI_NONDISTRIBUTABLE_LAYER_GZIP
                | OCI_NONDISTRIBUTABLE_LAYER_ZSTD
        )
    }
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let (kind, subtype) = text.split_once('/').ok_or(InvalidMediaType)?;
        if text.len() <= 255 && is_restricted_name(kind) && is_restricted_name(subtype) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMediaType)
        }
    }
}

fn is_restricted_name(name: &str) -> bool {
    let is_mark = |byte: u8| b"!#$&-^_.+".contains(&byte);
    name.len() <= 127
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(MediaType, "a media type");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn well_formed_media_types_are_accepted() {
        for text in [
            "a/b",
            "text/plain",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "a!#$&-^_.+/0^",
        ] {
            assert_round_trip::<MediaType>(text);
        }
        assert_round_trip::<MediaType>(&format!("{}/{}", "a".repeat(127), "b".repeat(127)));
    }

    #[test]
    fn malformed_media_types_are_refused() {
        for text in [
            "",
            "/",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a//b",
            "text/plain; charset=utf-8",
            " a/b",
            "a/b ",
            "a/*",
            "*/*",
            "é/b",
            "+a/b",
        ] {
            assert_refused::<MediaType>(text);
        }
        assert_refused::<MediaType>(&format!("a/{}", "b".repeat(128)));
        assert_refused::<MediaType>(&format!("{}/b", "a".repeat(128)));
    }

    #[test]
    fn content_types_lose_their_parameters() {
        for header in ["a/b", "a/b;c=d", " a/b ; c=\"d;e\"", "a/b\t", "a/b;"] {
            assert_eq!(
                MediaType::from_content_type(header).unwrap(),
                "a/b",
                "{header:?}"
            );
        }
        for header in ["", ";", "; a/b", "a/b c", "a/b, c/d", "a/b\n"] {
            assert!(MediaType::from_content_type(header).is_err(), "{header:?}");
        }
    }

    #[test]
    fn every_manifest_type_is_of_one_sort() {
        for (text, sorts) in [
            (OCI_IMAGE_INDEX, [true, false, false, false]),
            (DOCKER_MANIFEST_LIST, [true, false, false, false]),
            (OCI_IMAGE_MANIFEST, [false, true, false, false]),
            (DOCKER_MANIFEST_V2, [false, true, false, false]),
            (DOCKER_MANIFEST_V1, [false, false, true, false]),
            (DOCKER_MANIFEST_V1_SIGNED, [false, false, true, false]),
            (OCI_ARTIFACT_MANIFEST, [false, false, false, true]),
            (ORAS_ARTIFACT_MANIFEST, [false, false, false, true]),
            (OCI_IMAGE_CONFIG, [false; 4]),
        ] {
            let of: MediaType = text.parse().unwrap();
            let found = [
                of.is_index(),
                of.is_image_manifest(),
                of.is_schema1(),
                of.is_artifact_manifest(),
            ];
            assert_eq!(found, sorts, "{text}");
        }
    }

    #[test]
    fn only_foreign_and_nondistributable_layers_are_foreign() {
        for (text, foreign) in [
            (DOCKER_FOREIGN_LAYER_GZIP, true),
            (OCI_NONDISTRIBUTABLE_LAYER_ZSTD, true),
            (DOCKER_LAYER_GZIP, false),
            (OCI_LAYER, false),
            (OCI_EMPTY, false),
        ] {
            assert_eq!(
                text.parse::<MediaType>().unwrap().is_foreign_layer(),
                foreign,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn media_types_round_trip(text in "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}") {
            prop_assert_eq!(text.parse::<MediaType>().unwrap().to_string(), text);
        }
    }
}
