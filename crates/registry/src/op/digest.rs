//! Digests as the API takes them: more texts than there are digests here.

use std::str::FromStr;

use longshore_types::digest::Digest;

use crate::member::Form;

/// A text of ECR's digest pattern; [`Self::known`] is absent when nothing here can have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DigestText {
    text: String,
    /// The digest, if it is of an algorithm and form that exist here.
    pub(super) known: Option<Digest>,
}

/// The text breaks ECR's pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidDigestText;

impl DigestText {
    /// The text as it came.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for DigestText {
    type Err = InvalidDigestText;

    fn from_str(text: &str) -> Result<Self, InvalidDigestText> {
        let (algorithm, hash) = text.split_once(':').ok_or(InvalidDigestText)?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte);
        let fits = !algorithm.is_empty()
            && algorithm.bytes().all(is_part)
            && !hash.is_empty()
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if fits {
            Ok(Self {
                text: text.to_owned(),
                known: text.parse().ok(),
            })
        } else {
            Err(InvalidDigestText)
        }
    }
}

impl Form for DigestText {
    fn constraint() -> String {
        <Digest as Form>::constraint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_pattern_are_taken_and_only_real_digests_are_known() {
        let real = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(real.parse::<DigestText>().unwrap().known, real.parse().ok());
        for unknown in ["sha256:0a", "md5:00ff", "a-_+.:AF", "SHA256:AA"] {
            assert_eq!(unknown.parse::<DigestText>().unwrap().known, None);
        }
    }

    #[test]
    fn texts_outside_the_pattern_are_refused() {
        for text in [
            "",
            ":",
            "sha256",
            "sha256:",
            ":aa",
            "sha256:xyz",
            "sha 256:aa",
            "a:b:c",
        ] {
            assert_eq!(text.parse::<DigestText>(), Err(InvalidDigestText), "{text}");
        }
    }
}
