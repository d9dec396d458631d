//! Whether a tag may move to another image.

use std::fmt;
use std::str::FromStr;

use crate::name::ImageTag;
use crate::text::serde_as_text;
use crate::wildcard;

/// The setting of a repository, in ECR's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageTagMutability {
    /// Any tag may move.
    Mutable,
    /// No tag may move.
    Immutable,
    /// Only tags that match a filter may move.
    ImmutableWithExclusion,
    /// Only tags that match no filter may move.
    MutableWithExclusion,
}

/// The text is not one of ECR's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag mutability is none of `IMMUTABLE`, `MUTABLE`, `MUTABLE_WITH_EXCLUSION`, `IMMUTABLE_WITH_EXCLUSION`"
)]
pub struct InvalidImageTagMutability;

impl ImageTagMutability {
    /// Returns ECR's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
        }
    }

    /// Whether it goes with exclusion filters.
    pub const fn has_exclusion(self) -> bool {
        matches!(
            self,
            Self::ImmutableWithExclusion | Self::MutableWithExclusion
        )
    }
}

impl FromStr for ImageTagMutability {
    type Err = InvalidImageTagMutability;

    fn from_str(text: &str) -> Result<Self, InvalidImageTagMutability> {
        match text {
            "MUTABLE" => Ok(Self::Mutable),
            "IMMUTABLE" => Ok(Self::Immutable),
            "IMMUTABLE_WITH_EXCLUSION" => Ok(Self::ImmutableWithExclusion),
            "MUTABLE_WITH_EXCLUSION" => Ok(Self::MutableWithExclusion),
            _ => Err(InvalidImageTagMutability),
        }
    }
}

impl fmt::Display for ImageTagMutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(ImageTagMutability, "a tag mutability setting");

/// A wildcard filter on whole tags, such as `dev-*`.
///
/// Invariants: 1 to 128 of `0-9 a-z A-Z . _ * -` (the ECR model), at most two of them `*` (as Terraform checks).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExclusionFilter(Box<str>);

/// The text is not an exclusion filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExclusionFilter {
    /// It is empty, too long, or holds a character that is not allowed.
    #[error("exclusion filter is not 1 to 128 of `0-9`, `a-z`, `A-Z`, `.`, `_`, `*` and `-`")]
    Form,
    /// It holds more than two `*`.
    #[error("exclusion filter holds more than two `*`")]
    TooManyWildcards,
}

impl ExclusionFilter {
    /// Returns the filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the filter matches the whole tag.
    pub fn matches(&self, tag: &ImageTag) -> bool {
        wildcard::matches(&self.0, tag.as_str())
    }
}

impl FromStr for ExclusionFilter {
    type Err = InvalidExclusionFilter;

    fn from_str(text: &str) -> Result<Self, InvalidExclusionFilter> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
        if !(1..=128).contains(&text.len()) || !text.bytes().all(is_part) {
            Err(InvalidExclusionFilter::Form)
        } else if text.matches('*').count() > 2 {
            Err(InvalidExclusionFilter::TooManyWildcards)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for ExclusionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExclusionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_as_text!(ExclusionFilter, "a wildcard filter on tags");

/// The setting of a repository together with its filters.
///
/// Invariant: 1 to 5 filters with a `…WITH_EXCLUSION` setting, none with a plain one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagMutability {
    setting: ImageTagMutability,
    filters: Vec<ExclusionFilter>,
}

/// The filters do not go with the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTagMutability {
    /// The setting needs filters and there are none.
    #[error("`{0}` needs exclusion filters")]
    FiltersMissing(ImageTagMutability),
    /// The setting takes no filters and there are some.
    #[error("`{0}` takes no exclusion filters")]
    FiltersPresent(ImageTagMutability),
    /// There are more than five filters.
    #[error("{0} exclusion filters are more than 5")]
    TooManyFilters(usize),
}

impl TagMutability {
    /// The most filters that a repository may have.
    pub const MAX_FILTERS: usize = 5;

    /// Any tag may move: what a repository has unless it says otherwise.
    pub const MUTABLE: Self = Self {
        setting: ImageTagMutability::Mutable,
        filters: Vec::new(),
    };

    /// Joins a setting with its filters.
    pub fn new(
        setting: ImageTagMutability,
        filters: Vec<ExclusionFilter>,
    ) -> Result<Self, InvalidTagMutability> {
        match (setting.has_exclusion(), filters.len()) {
            (true, 0) => Err(InvalidTagMutability::FiltersMissing(setting)),
            (false, 1..) => Err(InvalidTagMutability::FiltersPresent(setting)),
            (true, n_filters) if n_filters > Self::MAX_FILTERS => {
                Err(InvalidTagMutability::TooManyFilters(n_filters))
            }
            _ => Ok(Self { setting, filters }),
        }
    }

    /// Returns the setting.
    pub const fn setting(&self) -> ImageTagMutability {
        self.setting
    }

    /// Returns the filters, none with a plain setting.
    pub fn filters(&self) -> &[ExclusionFilter] {
        &self.filters
    }

    /// Whether `tag`, once it exists, may not move to another image.
    pub fn is_immutable(&self, tag: &ImageTag) -> bool {
        let excluded = || self.filters.iter().any(|filter| filter.matches(tag));
        match self.setting {
            ImageTagMutability::Mutable => false,
            ImageTagMutability::Immutable => true,
            ImageTagMutability::ImmutableWithExclusion => !excluded(),
            ImageTagMutability::MutableWithExclusion => excluded(),
        }
    }
}

impl Default for TagMutability {
    fn default() -> Self {
        Self::MUTABLE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ImageTagMutability::{
        Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion,
    };
    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    const ALL: [ImageTagMutability; 4] = [
        Mutable,
        Immutable,
        ImmutableWithExclusion,
        MutableWithExclusion,
    ];

    fn filters(texts: &[&str]) -> Vec<ExclusionFilter> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn settings_are_the_words_of_ecr() {
        for setting in ALL {
            assert_eq!(
                assert_round_trip::<ImageTagMutability>(setting.as_str()),
                setting
            );
        }
        for text in ["", "mutable", "IMMUTABLE ", "IMMUTABLE_WITH_EXCLUSIONS"] {
            assert_refused::<ImageTagMutability>(text);
        }
    }

    #[test]
    fn filters_follow_the_model() {
        for text in ["a", "*", "**", "dev-*", "*.tmp", "-", ".", "_", "a*b*c"] {
            assert_round_trip::<ExclusionFilter>(text);
        }
        assert_round_trip::<ExclusionFilter>(&"a".repeat(128));
        for text in ["", "a b", "a/b", "a:b", "a+b", "é", "a?", "***", "a*b*c*"] {
            assert_refused::<ExclusionFilter>(text);
        }
        assert_refused::<ExclusionFilter>(&"a".repeat(129));
        assert_eq!(
            "***".parse::<ExclusionFilter>(),
            Err(InvalidExclusionFilter::TooManyWildcards)
        );
    }

    #[test]
    fn filters_go_with_exclusion_settings_only() {
        let five = filters(&["a", "b", "c", "d", "e"]);
        let six = filters(&["a", "b", "c", "d", "e", "f"]);
        for setting in [Mutable, Immutable] {
            assert!(TagMutability::new(setting, vec![]).is_ok());
            let refused = TagMutability::new(setting, filters(&["a"]));
            assert_eq!(refused, Err(InvalidTagMutability::FiltersPresent(setting)));
        }
        for setting in [ImmutableWithExclusion, MutableWithExclusion] {
            assert_eq!(
                TagMutability::new(setting, vec![]),
                Err(InvalidTagMutability::FiltersMissing(setting))
            );
            assert_eq!(
                TagMutability::new(setting, five.clone()).unwrap().filters(),
                five
            );
            assert_eq!(
                TagMutability::new(setting, six.clone()),
                Err(InvalidTagMutability::TooManyFilters(6))
            );
        }
    }

    #[test]
    fn tags_that_match_a_filter_are_the_exception() {
        for (setting, excluded, others) in [
            (ImmutableWithExclusion, false, true),
            (MutableWithExclusion, true, false),
        ] {
            let mutability = TagMutability::new(setting, filters(&["latest", "dev-*"])).unwrap();
            for tag in ["latest", "dev-", "dev-1"] {
                assert_eq!(
                    mutability.is_immutable(&tag.parse().unwrap()),
                    excluded,
                    "{setting} {tag}"
                );
            }
            for tag in ["Latest", "latest1", "adev-1", "dev"] {
                assert_eq!(
                    mutability.is_immutable(&tag.parse().unwrap()),
                    others,
                    "{setting} {tag}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn filters_round_trip(text in "[0-9a-zA-Z._-]{0,40}(\\*[0-9a-zA-Z._-]{1,40}){1,2}") {
            prop_assert_eq!(text.parse::<ExclusionFilter>().unwrap().to_string(), text);
        }

        #[test]
        fn plain_settings_decide_alone(tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
            let tag: ImageTag = tag.parse().unwrap();
            prop_assert!(!TagMutability::default().is_immutable(&tag));
            prop_assert!(TagMutability::new(Immutable, vec![]).unwrap().is_immutable(&tag));
        }
    }
}
