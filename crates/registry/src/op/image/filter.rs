//! The filter of image lists.

use serde::Deserialize;

use crate::{
    error::Result,
    member::Member,
    table::{
        image::TagStatus,
        image_storage::{Status, StatusFilter},
    },
};

/// `DescribeImagesFilter` and `ListImagesFilter`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FilterInput {
    tag_status: Member<TagStatus>,
    image_status: Member<StatusFilter>,
}

/// The filter as it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) tags: TagStatus,
    pub(super) images: StatusFilter,
}

impl FilterInput {
    pub(super) fn read(filter: Option<&Self>) -> Result<Filter> {
        let Some(filter) = filter else {
            return Ok(Filter::DEFAULT);
        };
        let tags = filter.tag_status.optional("filter.tagStatus")?;
        let images = filter.image_status.optional("filter.imageStatus")?;
        Ok(Filter {
            tags: tags.unwrap_or(Filter::DEFAULT.tags),
            images: images.unwrap_or(Filter::DEFAULT.images),
        })
    }
}

impl Filter {
    const DEFAULT: Self = Self {
        tags: TagStatus::Any,
        images: StatusFilter::Active,
    };

    /// Whether an image with or without tags, of a status, passes.
    pub(super) fn takes(self, is_tagged: bool, status: Status) -> bool {
        self.images.takes(status) && self.tags.takes(is_tagged)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(input: serde_json::Value) -> Result<Filter> {
        let input: FilterInput = serde_json::from_value(input).unwrap();
        FilterInput::read(Some(&input))
    }

    #[test]
    fn without_a_word_active_images_of_any_tags_pass() {
        let default = FilterInput::read(None).unwrap();
        assert_eq!(filter(json!({})).unwrap(), default);
        for status in [Status::Active, Status::Archived, Status::Activating] {
            let passes = status == Status::Active;
            assert_eq!(default.takes(true, status), passes);
            assert_eq!(default.takes(false, status), passes);
        }
    }

    #[test]
    fn only_what_the_filter_names_passes() {
        let tagged = filter(json!({"tagStatus": "TAGGED", "imageStatus": "ANY"})).unwrap();
        assert!(tagged.takes(true, Status::Archived) && !tagged.takes(false, Status::Archived));
        let untagged = filter(json!({"tagStatus": "UNTAGGED"})).unwrap();
        assert!(!untagged.takes(true, Status::Active) && untagged.takes(false, Status::Active));
        for (word, status) in [
            ("ARCHIVED", Status::Archived),
            ("ACTIVATING", Status::Activating),
        ] {
            let some = filter(json!({"imageStatus": word})).unwrap();
            assert!(some.takes(true, status) && !some.takes(true, Status::Active));
        }
    }

    #[test]
    fn other_words_are_refused_with_the_set() {
        assert_eq!(
            filter(json!({"tagStatus": "tagged"}))
                .unwrap_err()
                .to_string(),
            "Invalid parameter at 'filter.tagStatus' failed to satisfy constraint: \
             'Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]'"
        );
    }
}
