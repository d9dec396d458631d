//! What public registries are called.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// The alias of a public registry, the first segment of its images' names, such as `t9h2y4x3`.
///
/// Invariant (pattern of the ECR Public model): 2 to 50 characters; a letter and one of `a-z` and `0-9` at least, then
/// more of them, divided by single `.`, `_` or `-`. So it is never an account id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryAlias(Box<str>);

/// The text is not a registry alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "registry alias is not 2 to 50 of `a-z` and `0-9`, divided by single `.`, `_` or `-`, with a letter first"
)]
pub struct InvalidRegistryAlias;

/// Words that nobody may give their registry (ECR Public User Guide, "Updating registry settings"): AWS's, its
/// services', and generic ones.
const RESERVED: [&str; 22] = [
    "athena",
    "cloudfront",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "eks",
    "example",
    "fargate",
    "gallery",
    "iam",
    "kms",
    "lambda",
    "marketplace",
    "official",
    "public",
    "rds",
    "registry",
    "s3",
    "sts",
    "test",
];
/// Words that no alias may even hold.
const RESERVED_WITHIN: [&str; 2] = ["amazon", "aws"];

impl RegistryAlias {
    /// The length of the longest alias.
    pub const MAX_LEN: usize = 50;

    /// Returns the alias as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the alias is, or is made with, a word that nobody may give their registry.
    pub fn is_reserved(&self) -> bool {
        let mut words = self.0.split(['.', '_', '-']);
        words.any(|word| RESERVED.contains(&word))
            || RESERVED_WITHIN.iter().any(|word| self.0.contains(word))
    }
}

impl FromStr for RegistryAlias {
    type Err = InvalidRegistryAlias;

    fn from_str(text: &str) -> Result<Self, InvalidRegistryAlias> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut words = text.split(['.', '_', '-']);
        let starts = words.next().is_some_and(|word| {
            word.len() >= 2
                && word.starts_with(|first: char| first.is_ascii_lowercase())
                && word.bytes().all(is_word)
        });
        let goes_on = words.all(|word| !word.is_empty() && word.bytes().all(is_word));
        if starts && goes_on && text.len() <= Self::MAX_LEN {
            Ok(Self(text.into()))
        } else {
            Err(InvalidRegistryAlias)
        }
    }
}

impl fmt::Display for RegistryAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RegistryAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(RegistryAlias, "a registry alias");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::RepositoryName;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn aliases_follow_the_model() {
        for text in ["ab", "t9h2y4x3", "my-team", "a1.b_2-c", &"a".repeat(50)] {
            assert_round_trip::<RegistryAlias>(text);
        }
        for text in [
            "",
            "a",
            "1a",
            "a-b",
            "123456789012",
            "Team",
            "my--team",
            "team-",
            "-team",
            "a/b",
            "te am",
            "teäm",
            "team\0",
            &"a".repeat(51),
        ] {
            assert_refused::<RegistryAlias>(text);
        }
    }

    #[test]
    fn names_of_aws_and_generic_ones_are_reserved() {
        for text in [
            "public",
            "test",
            "my-test",
            "aws",
            "myaws1",
            "amazon.de",
            "ecr_x",
        ] {
            assert!(
                text.parse::<RegistryAlias>().unwrap().is_reserved(),
                "{text}"
            );
        }
        for text in ["team", "testing", "publica", "contest-1"] {
            assert!(
                !text.parse::<RegistryAlias>().unwrap().is_reserved(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn aliases_are_what_the_pattern_says(text in "[a-z0-9._-]{0,12}") {
            let words: Vec<&str> = text.split(['.', '_', '-']).collect();
            let fits = words[0].len() >= 2
                && words[0].as_bytes()[0].is_ascii_lowercase()
                && words.iter().all(|word| !word.is_empty());
            prop_assert_eq!(text.parse::<RegistryAlias>().is_ok(), fits);
        }

        #[test]
        fn an_alias_is_a_segment_of_a_name(text in "[a-z][a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,3}") {
            prop_assert!(text.parse::<RegistryAlias>().is_ok());
            prop_assert!(text.parse::<RepositoryName>().is_ok());
        }
    }
}
