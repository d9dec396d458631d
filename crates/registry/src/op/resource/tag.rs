//! A resource tag and its rules.

use std::collections::BTreeSet;

use longshore_types::name::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{
    authz::Needs,
    error::{Error, Result},
};

/// The most tags that a repository has.
pub(in crate::op) const MAX_TAGS: usize = 50;
/// The most characters of a key.
pub(super) const MAX_KEY_CHARACTERS: usize = 128;
const MAX_VALUE_CHARACTERS: usize = 256;
/// Keys that begin so are AWS's own.
const RESERVED: &str = "aws:";

/// A resource tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: Option<String>,
    value: Option<String>,
}

impl Tag {
    /// Tells a stored tag.
    pub(in crate::op) fn new((key, value): (String, String)) -> Self {
        Self {
            key: Some(key),
            value: Some(value),
        }
    }

    /// Reads the tags of an input for the repository `name`: at most 50, each key once.
    pub(crate) fn read_all(tags: &[Self], name: &RepositoryName) -> Result<Vec<(String, String)>> {
        if tags.len() > MAX_TAGS {
            return Err(Error::TooManyTags(name.clone()));
        }
        Self::read_each("tags", tags)
    }

    /// Reads the tags of an input's member, each key once.
    pub(in crate::op) fn read_each(member: &str, tags: &[Self]) -> Result<Vec<(String, String)>> {
        let tags = tags.iter().map(|tag| tag.read(member));
        let tags = tags.collect::<Result<Vec<_>>>()?;
        let mut keys = BTreeSet::new();
        match tags.iter().find(|(key, _)| !keys.insert(key)) {
            Some((key, _)) => Err(Error::InvalidTagParameter(format!(
                "Tag key '{key}' is given more than once"
            ))),
            None => Ok(tags),
        }
    }

    fn read(&self, member: &str) -> Result<(String, String)> {
        let present = |part: &str, text: &Option<String>| {
            let absent = || Error::invalid(&format!("{member}.{part}"), "Member must not be null");
            text.clone().ok_or_else(absent)
        };
        let key = present("Key", &self.key)?;
        let value = present("Value", &self.value)?;
        check_key(&key)?;
        if value.chars().count() > MAX_VALUE_CHARACTERS {
            return Err(refusal(format!(
                "Tag value of key '{key}' must have length less than or equal to {MAX_VALUE_CHARACTERS}"
            )));
        }
        if value.chars().any(char::is_control) {
            return Err(refusal(format!(
                "Tag value of key '{key}' holds a control character"
            )));
        }
        Ok((key, value))
    }
}

/// Lets policies ask for the tags that a request gives.
pub(crate) fn asked(needs: Needs, tags: &[(String, String)]) -> Needs {
    let keys = tags.iter().map(|(key, _)| key);
    let needs = needs.with("aws:TagKeys", keys);
    tags.iter().fold(needs, |needs, (key, value)| {
        needs.with(format!("aws:RequestTag/{key}"), [value])
    })
}

/// Checks a key that is to be given.
fn check_key(key: &str) -> Result<()> {
    if !is_of_length(key) {
        return Err(refusal(format!(
            "Tag key must have length between 1 and {MAX_KEY_CHARACTERS}"
        )));
    }
    if key.chars().any(char::is_control) {
        return Err(refusal("Tag key holds a control character".to_owned()));
    }
    // AWS reserves the prefix in any case.
    let prefix = key.get(..RESERVED.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED)) {
        return Err(refusal(format!(
            "Tag key '{key}' begins with the reserved prefix '{RESERVED}'"
        )));
    }
    Ok(())
}

/// Whether a key is neither too short nor too long.
pub(super) fn is_of_length(key: &str) -> bool {
    (1..=MAX_KEY_CHARACTERS).contains(&key.chars().count())
}

fn refusal(text: String) -> Error {
    Error::InvalidTagParameter(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let tags: Vec<Tag> = tags
            .iter()
            .map(|(key, value)| Tag::new(((*key).to_owned(), (*value).to_owned())))
            .collect();
        Tag::read_all(&tags, &"app".parse().unwrap())
    }

    #[test]
    fn keys_and_values_up_to_their_lengths_are_taken() {
        let (key, value) = ("ä".repeat(128), "ä".repeat(256));
        assert!(read(&[(&key, &value), ("a", "")]).is_ok());
    }

    #[test]
    fn bad_keys_and_values_are_invalid_tag_parameters() {
        let (long_key, long_value) = ("a".repeat(129), "a".repeat(257));
        for (key, value) in [
            ("", "v"),
            (&long_key, "v"),
            ("k", &long_value),
            ("aws:team", "v"),
            ("AWS:team", "v"),
            ("k\0", "v"),
            ("k", "\0"),
        ] {
            assert!(
                matches!(read(&[(key, value)]), Err(Error::InvalidTagParameter(_))),
                "{key}"
            );
        }
        assert!(matches!(
            read(&[("a", "1"), ("b", "2"), ("a", "3")]),
            Err(Error::InvalidTagParameter(_))
        ));
    }

    #[test]
    fn more_than_fifty_tags_are_too_many() {
        let keys: Vec<String> = (0..51).map(|idx| format!("key-{idx}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert!(matches!(read(&tags), Err(Error::TooManyTags(_))));
        assert!(read(&tags[1..]).is_ok());
    }

    #[test]
    fn null_keys_and_values_are_refused() {
        for json in [
            r#"{"Key":"a"}"#,
            r#"{"Value":"a"}"#,
            r#"{"Key":"a","Value":null}"#,
        ] {
            let tag: Tag = serde_json::from_str(json).unwrap();
            assert!(Tag::read_all(&[tag], &"app".parse().unwrap()).is_err());
        }
    }
}
