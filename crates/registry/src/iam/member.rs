//! Constraints on the members of IAM's inputs, in IAM's words. Members are named as its errors name them: `roleName`.

use crate::error::{Error, Fault, Result};

/// The longest name of a user or role.
pub(crate) const MAX_PRINCIPAL_NAME: usize = 64;
/// The longest name of a group or policy.
pub(crate) const MAX_NAME: usize = 128;
/// The longest path, and the longest prefix of one.
const MAX_PATH: usize = 512;
/// How many characters of a value an error tells.
const SHOWN: usize = 256;
const MIN_ARN: usize = 20;
const MAX_ARN: usize = 2048;

/// The error of a value that breaks a constraint. Of a long one the beginning is told, so that member and constraint are
/// told in any case.
pub(crate) fn invalid(member: &str, value: &str, constraint: impl std::fmt::Display) -> Error {
    let cut = value
        .char_indices()
        .nth(SHOWN)
        .map_or(value.len(), |(end, _)| end);
    let value = value.get(..cut).unwrap_or_default();
    Fault::Validation.because(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

/// Checks how many characters a text has.
pub(crate) fn length(member: &str, value: &str, min: usize, max: usize) -> Result<()> {
    let length = value.chars().count();
    if length < min {
        let least = format!("Member must have length greater than or equal to {min}");
        return Err(invalid(member, value, least));
    }
    if length > max {
        let most = format!("Member must have length less than or equal to {max}");
        return Err(invalid(member, value, most));
    }
    Ok(())
}

/// Checks how many items a list has.
pub(crate) fn items<T: std::fmt::Debug>(member: &str, list: &[T], max: usize) -> Result<()> {
    if list.len() > max {
        let most = format!("Member must have length less than or equal to {max}");
        return Err(invalid(member, &format!("{list:?}"), most));
    }
    Ok(())
}

/// Fails with IAM's text for a text that does not match `pattern`, unless `matches`.
pub(crate) fn pattern(member: &str, value: &str, matches: bool, pattern: &str) -> Result<()> {
    if matches {
        return Ok(());
    }
    let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
    Err(invalid(member, value, constraint))
}

/// Checks the name of a user, group, role or policy.
pub(crate) fn name(member: &str, value: &str, max: usize) -> Result<()> {
    length(member, value, 1, max)?;
    if value.chars().all(is_name_character) {
        return Ok(());
    }
    Err(Fault::Validation.because(format!(
        "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )))
}

fn is_name_character(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter)
}

/// Checks a path, which is `/` unless it is given: names between slashes, none empty.
pub(crate) fn path<'a>(member: &str, value: Option<&'a str>) -> Result<&'a str> {
    let Some(path) = value else { return Ok("/") };
    length(member, path, 1, MAX_PATH)?;
    let inner = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(is_name_character);
    if path == "/" || inner.is_some_and(|inner| inner.split('/').all(is_name)) {
        return Ok(path);
    }
    Err(Fault::Validation.because(format!(
        "The specified value for {member} is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
    )))
}

/// Checks what paths are to begin with, which is `/` unless it is given.
pub(crate) fn path_prefix<'a>(member: &str, value: Option<&'a str>) -> Result<&'a str> {
    let Some(prefix) = value else { return Ok("/") };
    length(member, prefix, 1, MAX_PATH)?;
    let begins = prefix.starts_with('/');
    let printable = prefix.bytes().all(|byte| matches!(byte, 0x21..=0x7f));
    pattern(
        member,
        prefix,
        begins && printable,
        r"\u002F[\u0021-\u007F]*",
    )?;
    Ok(prefix)
}

/// Checks the length of an ARN.
pub(crate) fn arn(member: &str, value: &str) -> Result<()> {
    length(member, value, MIN_ARN, MAX_ARN)
}

/// Returns a member that must be one of `words`, if it is given.
pub(crate) fn one_of<'a>(
    member: &str,
    value: Option<&'a str>,
    words: &[&str],
) -> Result<Option<&'a str>> {
    match value {
        Some(word) if !words.contains(&word) => {
            let set = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            Err(invalid(member, word, set))
        }
        word => Ok(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_letters_digits_and_a_few_signs() {
        assert!(name("roleName", "a.B-c_d+e=f,g@1", 64).is_ok());
        assert_eq!(
            name("roleName", "a b", 64).unwrap_err().to_string(),
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        );
        assert!(name("roleName", &"a".repeat(64), 64).is_ok());
        assert_eq!(
            name("roleName", "aaa", 2).unwrap_err().to_string(),
            "1 validation error detected: Value 'aaa' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 2"
        );
        let long = name("roleName", &"a".repeat(100_000), 64)
            .unwrap_err()
            .to_string();
        assert!(long.ends_with("at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"));
        assert!(long.len() < 500);
        assert!(name("roleName", "", 64).is_err());
        assert!(name("roleName", "ä", 64).is_err());
    }

    #[test]
    fn paths_are_names_between_slashes() {
        assert_eq!(path("path", None).unwrap(), "/");
        for good in ["/", "/a/", "/a/b.c/"] {
            assert_eq!(path("path", Some(good)).unwrap(), good);
        }
        let long = format!("/{}/", "a".repeat(510));
        assert!(path("path", Some(&long)).is_ok());
        let longer = format!("/{}/", "a".repeat(511));
        for bad in [
            "", "a", "/a", "a/", "//", "/a//b/", "/a b/", "/a*/", &longer,
        ] {
            assert!(path("path", Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes_of_paths_begin_with_a_slash() {
        assert_eq!(path_prefix("pathPrefix", None).unwrap(), "/");
        assert_eq!(path_prefix("pathPrefix", Some("/a")).unwrap(), "/a");
        for bad in ["", "a", "/a b", "/ä"] {
            assert!(path_prefix("pathPrefix", Some(bad)).is_err(), "{bad}");
        }
    }
}
