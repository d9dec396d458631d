//! Members of API inputs: kept as they came until they are asked for, so that a bad one gets ECR's own error
//! and not one of the decoder.

use std::{fmt, str::FromStr};

use longshore_types::{
    account::{AccountId, Region},
    digest::Digest,
    id::{CopyId, UploadId},
    mutability::{ExclusionFilter, ImageTagMutability},
    name::{ImageTag, RepositoryName, TemplatePrefix},
};
use serde::{Deserialize, Deserializer};

pub use self::blob::Blob;
use crate::error::{Error, Result};

mod blob;

/// A text member that must have the form of `T`.
pub struct Member<T> {
    text: Option<String>,
    form: std::marker::PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Member<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl<T> Default for Member<T> {
    fn default() -> Self {
        Self {
            text: None,
            form: std::marker::PhantomData,
        }
    }
}

impl<T> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            form: std::marker::PhantomData,
        }
    }
}

impl<'de, T> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            text: Option::deserialize(deserializer)?,
            form: std::marker::PhantomData,
        })
    }
}

/// A form that a member can have, and the constraint that the service names when it does not.
pub trait Form: FromStr {
    /// The constraint text for a value that is not of this form.
    fn constraint() -> String;
}

impl<T: fmt::Display> Member<T> {
    /// A member that has a value.
    pub fn of(value: &T) -> Self {
        Self {
            text: Some(value.to_string()),
            form: std::marker::PhantomData,
        }
    }
}

impl<T: Form> Member<T> {
    /// Returns the value; fails when it is absent or of another form.
    pub fn required(&self, member: &str) -> Result<T> {
        self.optional(member)?
            .ok_or_else(|| Error::invalid(member, "Member must not be null"))
    }

    /// Returns the value if there is one; fails when it is of another form.
    pub fn optional(&self, member: &str) -> Result<Option<T>> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|_| Error::invalid(member, T::constraint()))
        };
        self.text.as_ref().map(parse).transpose()
    }

    /// The text as it came.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

fn pattern(pattern: &str) -> String {
    format!("must satisfy regular expression '{pattern}'")
}

impl Form for RepositoryName {
    fn constraint() -> String {
        pattern(r"(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
    }
}

impl Form for TemplatePrefix {
    fn constraint() -> String {
        pattern(
            r"^([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\/?|ROOT)$",
        )
    }
}

impl Form for AccountId {
    fn constraint() -> String {
        pattern("[0-9]{12}")
    }
}

impl Form for Region {
    fn constraint() -> String {
        pattern("[0-9a-z-]{2,25}")
    }
}

impl Form for CopyId {
    fn constraint() -> String {
        pattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    }
}

impl Form for ImageTag {
    fn constraint() -> String {
        pattern("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
    }
}

impl Form for Digest {
    fn constraint() -> String {
        pattern("[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+")
    }
}

impl Form for UploadId {
    fn constraint() -> String {
        pattern("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
    }
}

impl Form for ImageTagMutability {
    fn constraint() -> String {
        one_of(&[
            "IMMUTABLE",
            "MUTABLE",
            "MUTABLE_WITH_EXCLUSION",
            "IMMUTABLE_WITH_EXCLUSION",
        ])
    }
}

/// The constraint of a member that is one of `words`.
pub(crate) fn one_of(words: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", words.join(", "))
}

/// Declares an enum of the API by its words, as a form that a member can have.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name { $($variant,)* }

        impl std::str::FromStr for $name {
            type Err = crate::member::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(crate::member::UnknownWord),
                }
            }
        }

        impl crate::member::Form for $name {
            fn constraint() -> String {
                crate::member::one_of(&[$($word),*])
            }
        }
    };
}
pub(crate) use words;

/// The text is none of an enum's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnknownWord;

impl Form for ExclusionFilter {
    fn constraint() -> String {
        pattern("^[0-9a-zA-Z._*-]{1,128}$")
    }
}

/// Returns a list member that must be there, with between 1 and `max` items.
pub fn required_list<'a, T>(member: &str, list: Option<&'a Vec<T>>, max: usize) -> Result<&'a [T]> {
    let list = list.ok_or_else(|| Error::invalid(member, "Member must not be null"))?;
    check_length(member, list.len(), max)?;
    Ok(list)
}

/// Checks that a list member has between 1 and `max` items.
pub fn check_length(member: &str, length: usize, max: usize) -> Result<()> {
    if length == 0 {
        return Err(Error::invalid(
            member,
            "Member must have length greater than or equal to 1",
        ));
    }
    if length > max {
        return Err(Error::invalid(
            member,
            format!("Member must have length less than or equal to {max}"),
        ));
    }
    Ok(())
}

/// Checks that a text member has at most `max` characters.
pub fn at_most(member: &str, text: &str, max: usize) -> Result<()> {
    if text.chars().count() > max {
        let what = format!("Member must have length less than or equal to {max}");
        return Err(Error::invalid(member, what));
    }
    Ok(())
}
