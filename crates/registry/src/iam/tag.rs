//! Tags of users, roles, managed policies and identity providers, and their rules.

use std::collections::BTreeSet;

use longshore_store::meta::Tx;
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{member, page::Paging};
use crate::{
    authz::{Grant, Needs},
    cx::Cx,
    error::{Error, Fault, Result},
    table::identity_tag,
};

/// The most tags that one thing has.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;
/// Keys that begin so, in any case, are AWS's own.
const RESERVED: &str = "aws:";

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

impl Tag {
    /// Tells stored tags.
    pub(crate) fn all(tags: Vec<(String, String)>) -> Vec<Self> {
        let tag = |(key, value)| Self { key, value };
        tags.into_iter().map(tag).collect()
    }
}

/// Checks the tags of an input: at most 50, each key once, whatever its case.
pub(crate) fn read(tags: Option<&Vec<Tag>>) -> Result<Vec<(String, String)>> {
    let tags = tags.map(Vec::as_slice).unwrap_or_default();
    member::items("tags", tags, MAX_TAGS)?;
    let mut seen = BTreeSet::new();
    for (idx, tag) in tags.iter().enumerate() {
        check_key(&format!("tags.{}.member.key", idx + 1), &tag.key)?;
        let at = format!("tags.{}.member.value", idx + 1);
        member::length(&at, &tag.value, 0, MAX_VALUE)?;
        let fits = tag.value.chars().all(is_tag_character);
        member::pattern(&at, &tag.value, fits, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")?;
        if !seen.insert(identity_tag::key(&tag.key)) {
            return Err(Fault::InvalidInput.because(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    Ok(tags
        .iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect())
}

/// Checks the keys of an input.
pub(crate) fn read_keys(keys: &[String]) -> Result<()> {
    member::items("tagKeys", keys, MAX_TAGS)?;
    for (idx, key) in keys.iter().enumerate() {
        check_key(&format!("tagKeys.{}.member", idx + 1), key)?;
    }
    Ok(())
}

fn check_key(member: &str, key: &str) -> Result<()> {
    member::length(member, key, 1, MAX_KEY)?;
    let fits = key.chars().all(is_tag_character);
    member::pattern(member, key, fits, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+")?;
    let prefix = key.get(..RESERVED.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED)) {
        return Err(Fault::InvalidInput
            .because("aws: prefixed tag key names are not allowed for external use."));
    }
    Ok(())
}

fn is_tag_character(letter: char) -> bool {
    letter.is_alphanumeric()
        || letter.is_whitespace() && !letter.is_control()
        || "_.:/=+-@".contains(letter)
}

/// Adds checked tags to what has that id or ARN; fails when it would have more than 50.
pub(crate) fn put(tx: &mut dyn Tx, holder: &str, tags: &[(String, String)]) -> Result<()> {
    identity_tag::put(tx, holder, tags)?;
    let count = identity_tag::count(tx, holder)?;
    if usize::try_from(count).is_ok_and(|count| count <= MAX_TAGS) {
        Ok(())
    } else {
        Err(Fault::LimitExceeded.because("The number of tags has reached the maximum limit."))
    }
}

/// Tags, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedTags {
    tags: Vec<Tag>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// Tells the tags of what `holder` finds, in pages by key. `list` names the operation and what it is about, `asked` are
/// `Marker` and `MaxItems`.
pub(crate) async fn list(
    cx: &Cx<'_>,
    grant: &Grant,
    list: String,
    (marker, max_items): (Option<&str>, Option<i64>),
    holder: impl FnOnce(&mut dyn Tx, AccountId) -> Result<String> + Clone + Send + 'static,
) -> Result<ListedTags> {
    let list = format!("{list} {}", grant.registry().account());
    let paging: Paging<String> = Paging::new(cx.core, &list, marker, max_items)?;
    let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
    let rows = cx
        .read(grant, move |tx, grant| {
            let holder = holder(tx, grant.registry().account())?;
            Ok::<_, Error>(identity_tag::page(tx, &holder, &after, limit)?)
        })
        .await?;
    let page = paging.page(cx.core, rows, |(name, _)| identity_tag::key(name))?;
    Ok(ListedTags {
        tags: Tag::all(page.rows),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

/// Adds the condition keys of tags that a request gives.
pub(crate) fn requested(needs: Needs, tags: &[(String, String)]) -> Needs {
    let needs = tags.iter().fold(needs, |needs, (key, value)| {
        needs.with(format!("aws:RequestTag/{key}"), [value])
    });
    with_keys(needs, tags.iter().map(|(key, _)| key))
}

/// Adds the condition key of the tag keys that a request names.
pub(crate) fn with_keys<'a>(needs: Needs, keys: impl IntoIterator<Item = &'a String>) -> Needs {
    needs.with("aws:TagKeys", keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(tags: &[(&str, &str)]) -> String {
        let tag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let tags = Tag::all(tags.iter().map(tag).collect());
        match read(Some(&tags)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn keys_and_values_have_the_characters_and_lengths_of_the_model() {
        let (key, value) = ("ä".repeat(128), "ä".repeat(256));
        assert_eq!(refusal(&[(&key, &value), ("a b_.:/=+-@1", "")]), "");
        for (key, value, at) in [
            ("", "v", "'tags.1.member.key'"),
            (&"a".repeat(129), "v", "'tags.1.member.key'"),
            ("a*", "v", "'tags.1.member.key'"),
            ("a\n", "v", "'tags.1.member.key'"),
            ("a", "v*", "'tags.1.member.value'"),
            ("a", &"v".repeat(257), "'tags.1.member.value'"),
            ("AWS:a", "v", "aws: prefixed"),
        ] {
            let text = refusal(&[(key, value)]);
            assert!(text.contains(at), "{key} {value}: {text}");
        }
    }

    #[test]
    fn a_key_is_one_tag_in_any_case() {
        assert!(refusal(&[("Team", "1"), ("team", "2")]).starts_with("Duplicate tag keys"));
    }

    #[test]
    fn more_than_fifty_are_too_many() {
        let keys: Vec<String> = (0..51).map(|idx| format!("k{idx}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert!(refusal(&tags).contains("less than or equal to 50"));
        assert_eq!(refusal(&tags[1..]), "");
    }
}
