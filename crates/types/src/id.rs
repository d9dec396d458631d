//! Random identities: UUIDs, a type for each kind so that none passes for another.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::text::serde_as_text;

/// The text or bytes are not the identity they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identity in hyphenated lower-case form")]
pub struct InvalidId;

/// Parses the one text that `Display` prints; the `uuid` crate alone would take braces, URNs and upper case too.
fn parse_canonical(text: &str) -> Result<Uuid, InvalidId> {
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
    let mut buffer = Uuid::encode_buffer();
    let canonical: &str = uuid.hyphenated().encode_lower(&mut buffer);
    if canonical == text {
        Ok(uuid)
    } else {
        Err(InvalidId)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes the identity of a UUID, usually a fresh version 7 one.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Reads the 16 bytes that [`Self::as_bytes`] gave.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| InvalidId)
            }

            /// Returns the UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Returns the 16 bytes it is stored as.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_canonical(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        serde_as_text!($name, "a hyphenated lower-case UUID");
    };
}

id! {
    /// One life of a repository: deleting and creating again gives a new one.
    Incarnation
}
id! {
    /// One evaluation of a lifecycle policy.
    EvaluationId
}
id! {
    /// An upload of a blob that is in progress.
    UploadId
}
id! {
    /// The ordered list of segments that first an upload and then its blob names.
    ContentId
}
id! {
    /// A file or object of a blob store: written once, never reused.
    PhysicalId
}
id! {
    /// An encryption domain: the boundary of deduplication and of shredding.
    DomainId
}
id! {
    /// The picture of a public repository: another picture has another id.
    LogoId
}
id! {
    /// A repository being copied or moved, and what came of it.
    CopyId
}
id! {
    /// One request, as logs, answers and audit records name it.
    RequestId
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    const TEXT: &str = "0192f0c1-2b3d-7c4e-8f50-0a1b2c3d4e5f";

    #[test]
    fn the_hyphenated_form_parses_and_prints() {
        let id: UploadId = assert_round_trip(TEXT);
        assert_eq!(format!("{id:?}"), format!("UploadId({TEXT})"));
        assert_eq!(id.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn other_forms_of_the_same_uuid_are_refused() {
        for text in [
            String::new(),
            TEXT.to_uppercase(),
            TEXT.replace('-', ""),
            format!("{{{TEXT}}}"),
            format!("urn:uuid:{TEXT}"),
            format!("{TEXT} "),
            format!("{TEXT}\n"),
            TEXT.replace('f', "g"),
            TEXT[1..].to_owned(),
        ] {
            assert_refused::<Incarnation>(&text);
        }
    }

    #[test]
    fn slices_of_another_length_are_refused() {
        assert_eq!(PhysicalId::from_slice(&[0; 15]), Err(InvalidId));
        assert_eq!(PhysicalId::from_slice(&[0; 17]), Err(InvalidId));
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes in any::<[u8; 16]>()) {
            let id = ContentId::from_uuid(Uuid::from_bytes(bytes));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.as_bytes(), &bytes);
            prop_assert_eq!(ContentId::from_slice(&bytes), Ok(id));
        }
    }
}
