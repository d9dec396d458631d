//! Which repositories a repository creation template is for.

use std::fmt;
use std::str::FromStr;

use super::{RepositoryName, is_name};
use crate::text::serde_as_text;

/// The prefix of a repository creation template: the repositories whose names go on after it with a `/`, or `ROOT`, all
/// repositories.
///
/// Invariant (pattern of the ECR model): `ROOT`, or 1 to 256 characters of the form of a repository name with or without a
/// `/` at the end. With and without it, it means the same; it is told as it was given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TemplatePrefix(Box<str>);

/// The text is not the prefix of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template prefix is neither `ROOT` nor the beginning of repository names up to a `/`")]
pub struct InvalidTemplatePrefix;

impl TemplatePrefix {
    /// The length of the longest prefix.
    pub const MAX_LEN: usize = 256;
    /// The prefix that every repository has, and that any other goes before.
    pub const ROOT: &str = "ROOT";

    /// Returns the prefix as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the prefix without the `/` that it may end with: what tells it from others.
    pub fn key(&self) -> &str {
        self.0.strip_suffix('/').unwrap_or(&self.0)
    }

    /// Returns a pattern that the repositories under the prefix have, as resources of policies are written.
    pub fn repositories(&self) -> String {
        match self.key() {
            Self::ROOT => "*".to_owned(),
            key => format!("{key}/*"),
        }
    }

    /// Returns the keys of the prefixes that `name` is under, the longest first and [`Self::ROOT`] last.
    pub fn keys_of(name: &RepositoryName) -> impl Iterator<Item = &str> {
        let name = name.as_str();
        let ends = name.rmatch_indices('/').map(|(end, _)| end);
        let prefixes = ends.filter_map(|end| name.get(..end));
        prefixes.chain([Self::ROOT])
    }
}

impl FromStr for TemplatePrefix {
    type Err = InvalidTemplatePrefix;

    fn from_str(text: &str) -> Result<Self, InvalidTemplatePrefix> {
        let prefix = Self(text.into());
        if text.len() <= Self::MAX_LEN && (text == Self::ROOT || is_name(prefix.key())) {
            Ok(prefix)
        } else {
            Err(InvalidTemplatePrefix)
        }
    }
}

impl fmt::Display for TemplatePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TemplatePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(
    TemplatePrefix,
    "the prefix of a repository creation template"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_beginnings_of_names_or_root() {
        for text in [
            "a",
            "prod",
            "prod/",
            "prod/team-1/x",
            "ROOT",
            "root",
            "a__b/c.d",
        ] {
            assert_eq!(
                text.parse::<TemplatePrefix>()
                    .map(|prefix| prefix.to_string()),
                Ok(text.to_owned())
            );
        }
        let long = "a".repeat(256);
        assert!(long.parse::<TemplatePrefix>().is_ok());
        for text in [
            "",
            "/",
            "//",
            "prod//",
            "/prod",
            "Prod",
            "ROOT/",
            "a*",
            "a/../b",
            "-a",
            &format!("{long}/"),
        ] {
            assert!(text.parse::<TemplatePrefix>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_slash_at_the_end_changes_nothing() {
        let keys = ["prod", "prod/"].map(|text| {
            let prefix: TemplatePrefix = text.parse().unwrap();
            (prefix.key().to_owned(), prefix.repositories())
        });
        assert_eq!(keys[0], keys[1]);
        assert_eq!(keys[0], ("prod".to_owned(), "prod/*".to_owned()));
    }

    #[test]
    fn a_name_is_under_what_ends_before_its_slashes_and_under_root() {
        let keys = |name: &str| -> Vec<String> {
            let name = name.parse().unwrap();
            TemplatePrefix::keys_of(&name).map(str::to_owned).collect()
        };
        assert_eq!(keys("a/b/c"), ["a/b", "a", "ROOT"]);
        assert_eq!(keys("prod"), ["ROOT"]);
    }
}
