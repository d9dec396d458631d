//! What images are called: repository names, tags and references.

mod prefix;

use std::fmt;
use std::str::FromStr;

pub use self::prefix::{InvalidTemplatePrefix, TemplatePrefix};
use crate::digest::Digest;
use crate::text::serde_as_text;

/// The name of a repository within its registry, such as `team/app`.
///
/// Invariants (pattern of the ECR model): 2 to 256 characters; components of `a-z` and `0-9` joined by one of
/// `.`, `_`, `__` or any number of `-`; components joined by single `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

/// The text is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "repository name is not 2 to 256 characters of lower-case alphanumeric components, \
     joined by `.`, `_`, `__` or `-` and divided by `/`"
)]
pub struct InvalidRepositoryName;

impl RepositoryName {
    /// The length of the longest name.
    pub const MAX_LEN: usize = 256;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a public registry may use the name: at most 205 characters and no doubled separator.
    pub fn is_public_form(&self) -> bool {
        self.0.len() <= 205 && !self.0.contains("__") && !self.0.contains("--")
    }
}

/// What the characters so far end with.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Start,
    Alphanumeric,
    Underscore,
    Hyphens,
    Closed,
}

impl End {
    const fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (_, b'a'..=b'z' | b'0'..=b'9') => Some(Self::Alphanumeric),
            (Self::Alphanumeric, b'/') => Some(Self::Start),
            (Self::Alphanumeric, b'.') | (Self::Underscore, b'_') => Some(Self::Closed),
            (Self::Alphanumeric, b'_') => Some(Self::Underscore),
            (Self::Alphanumeric | Self::Hyphens, b'-') => Some(Self::Hyphens),
            _ => None,
        }
    }
}

/// Whether `text` has the form of a name, however long it is.
fn is_name(text: &str) -> bool {
    text.bytes().try_fold(End::Start, End::then) == Some(End::Alphanumeric)
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryName> {
        if !(2..=Self::MAX_LEN).contains(&text.len()) {
            return Err(InvalidRepositoryName);
        }
        if is_name(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidRepositoryName)
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(RepositoryName, "a repository name");

/// A tag of an image.
///
/// Invariant (OCI distribution specification, "Pulling manifests"): `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
/// The ECR model allows 300 characters, but over HTTP no longer tag could be named.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageTag(Box<str>);

/// The text is not an image tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "image tag is not 1 to 128 of `a-z`, `A-Z`, `0-9`, `_`, `.` and `-`, the first not `.` or `-`"
)]
pub struct InvalidImageTag;

impl ImageTag {
    /// The length of the longest tag.
    pub const MAX_LEN: usize = 128;

    /// Returns the tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageTag {
    type Err = InvalidImageTag;

    fn from_str(text: &str) -> Result<Self, InvalidImageTag> {
        let mut bytes = text.bytes();
        let first = bytes.next().ok_or(InvalidImageTag)?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = text.len() <= Self::MAX_LEN
            && is_word(first)
            && bytes.all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(InvalidImageTag)
        }
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(ImageTag, "an image tag");

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By a tag, which may move.
    Tag(ImageTag),
    /// By the digest of its bytes.
    Digest(Digest),
}

/// The text is neither a tag nor a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// There is no colon, and it is not a tag.
    #[error(transparent)]
    Tag(#[from] InvalidImageTag),
    /// There is a colon, and it is not a digest.
    #[error(transparent)]
    Digest(#[from] crate::digest::InvalidDigest),
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        // No tag holds a colon and every digest does.
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            Ok(Self::Tag(text.parse()?))
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

serde_as_text!(Reference, "an image tag or a digest");

#[cfg(test)]
mod tests;
