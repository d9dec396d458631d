//! Tag mutability as inputs give it (`behaviour.md` section 8).

use longshore_types::mutability::{
    ExclusionFilter, ImageTagMutability, InvalidTagMutability, TagMutability,
};
use serde::Deserialize;

use crate::{
    error::{Error, Result},
    member::{Member, check_length, words},
};

const FILTERS: &str = "imageTagMutabilityExclusionFilters";

words! {
    /// How a filter is read.
    pub(super) FilterType { Wildcard = "WILDCARD", }
}

/// One exclusion filter of an input.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::op) struct FilterInput {
    filter_type: Member<FilterType>,
    filter: Member<ExclusionFilter>,
}

/// Joins the two members that set a repository's tag mutability.
pub(super) fn join(
    setting: ImageTagMutability,
    filters: Option<&Vec<FilterInput>>,
) -> Result<TagMutability> {
    joined(setting, read_filters(filters)?.unwrap_or_default())
}

/// Reads the filters, if there are any.
pub(in crate::op) fn read_filters(
    filters: Option<&Vec<FilterInput>>,
) -> Result<Option<Vec<ExclusionFilter>>> {
    let Some(filters) = filters else {
        return Ok(None);
    };
    check_length(FILTERS, filters.len(), TagMutability::MAX_FILTERS)?;
    filters
        .iter()
        .map(FilterInput::read)
        .collect::<Result<_>>()
        .map(Some)
}

/// Joins a setting and filters; fails when they do not go together.
pub(in crate::op) fn joined(
    setting: ImageTagMutability,
    filters: Vec<ExclusionFilter>,
) -> Result<TagMutability> {
    TagMutability::new(setting, filters).map_err(|error| refusal(&error))
}

impl FilterInput {
    fn read(&self) -> Result<ExclusionFilter> {
        self.filter_type
            .required("imageTagMutabilityExclusionFilters.filterType")?;
        self.filter
            .required("imageTagMutabilityExclusionFilters.filter")
    }
}

/// Only the first text is known of ECR; the others are worded after it.
fn refusal(error: &InvalidTagMutability) -> Error {
    let what = match error {
        InvalidTagMutability::FiltersMissing(setting) => format!(
            "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {setting}"
        ),
        InvalidTagMutability::FiltersPresent(setting) => format!(
            "ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {setting}"
        ),
        InvalidTagMutability::TooManyFilters(_) => format!(
            "Member must have length less than or equal to {}",
            TagMutability::MAX_FILTERS
        ),
    };
    Error::invalid(FILTERS, what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn joined(setting: &str, filters: serde_json::Value) -> Result<TagMutability, String> {
        let filters: Option<Vec<FilterInput>> = serde_json::from_value(filters).unwrap();
        join(setting.parse().unwrap(), filters.as_ref()).map_err(|error| error.to_string())
    }

    fn filter(text: &str) -> serde_json::Value {
        json!({"filterType": "WILDCARD", "filter": text})
    }

    #[test]
    fn filters_go_with_an_exclusion_setting() {
        let joined = joined(
            "IMMUTABLE_WITH_EXCLUSION",
            json!([filter("dev-*"), filter("latest")]),
        );
        assert_eq!(joined.unwrap().filters().len(), 2);
    }

    #[test]
    fn an_exclusion_setting_without_filters_gets_the_known_text() {
        for setting in ["IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"] {
            assert_eq!(
                joined(setting, json!(null)).unwrap_err(),
                format!(
                    "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
                     'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {setting}'"
                )
            );
        }
    }

    #[test]
    fn filters_are_refused_with_a_plain_setting_and_when_malformed() {
        for (setting, filters) in [
            ("MUTABLE", json!([filter("dev-*")])),
            ("IMMUTABLE", json!([filter("dev-*")])),
            ("IMMUTABLE_WITH_EXCLUSION", json!([])),
            ("IMMUTABLE_WITH_EXCLUSION", json!(vec![filter("a"); 6])),
            ("IMMUTABLE_WITH_EXCLUSION", json!([filter("")])),
            ("IMMUTABLE_WITH_EXCLUSION", json!([filter("a b")])),
            ("IMMUTABLE_WITH_EXCLUSION", json!([filter("a*b*c*")])),
            ("IMMUTABLE_WITH_EXCLUSION", json!([{"filter": "a"}])),
            (
                "IMMUTABLE_WITH_EXCLUSION",
                json!([{"filterType": "WILDCARD"}]),
            ),
            (
                "IMMUTABLE_WITH_EXCLUSION",
                json!([{"filterType": "REGEX", "filter": "a"}]),
            ),
        ] {
            let refused = joined(setting, filters.clone()).unwrap_err();
            assert!(
                refused.starts_with("Invalid parameter at 'imageTagMutabilityExclusionFilters"),
                "{filters}: {refused}"
            );
        }
    }
}
