//! Constraints on the members of a request, in ECR's words.

use std::borrow::Cow;
use std::fmt;

/// A member that is not as its operation needs it: `InvalidParameterException` with this text.
///
/// The member is spelled as ECR spells it in this error, which is not always the wire's spelling
/// (`ImageManifest`, `PolicyText`, `LifecyclePolicyText`, but `repositoryName`, `maxResults`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")]
pub struct InvalidParameter {
    member: Cow<'static, str>,
    constraint: Constraint,
}

impl InvalidParameter {
    /// Says that `member` breaks `constraint`.
    pub fn new(member: impl Into<Cow<'static, str>>, constraint: Constraint) -> Self {
        Self {
            member: member.into(),
            constraint,
        }
    }

    /// Returns the member, as this error spells it.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Returns what the member breaks.
    pub fn constraint(&self) -> &Constraint {
        &self.constraint
    }
}

/// What a member must satisfy. Its text is the quoted part of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// The member is required.
    NotNull,
    /// A string, list or blob has at least this many characters, items or bytes.
    LengthAtLeast(u64),
    /// A string, list or blob has at most this many characters, items or bytes.
    LengthAtMost(u64),
    /// A number is at least this.
    ValueAtLeast(i64),
    /// A number is at most this.
    ValueAtMost(i64),
    /// A string matches this pattern, in the wording of repository names.
    Pattern(Cow<'static, str>),
    /// A string matches this pattern, in the wording of all other members.
    MemberPattern(Cow<'static, str>),
    /// A string is one of these.
    OneOf(&'static [&'static str]),
    /// A text of its own, such as `Invalid JSON syntax`.
    Text(Cow<'static, str>),
}

impl Constraint {
    /// Makes a constraint with a text of its own.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }

    /// Says that `member` breaks this constraint.
    pub fn at(self, member: impl Into<Cow<'static, str>>) -> InvalidParameter {
        InvalidParameter::new(member, self)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull => f.write_str("Member must not be null"),
            Self::LengthAtLeast(least) => write!(
                f,
                "Member must have length greater than or equal to {least}"
            ),
            Self::LengthAtMost(most) => {
                write!(f, "Member must have length less than or equal to {most}")
            }
            Self::ValueAtLeast(least) => {
                write!(f, "Member must have value greater than or equal to {least}")
            }
            Self::ValueAtMost(most) => {
                write!(f, "Member must have value less than or equal to {most}")
            }
            Self::Pattern(pattern) => write!(f, "must satisfy regular expression '{pattern}'"),
            Self::MemberPattern(pattern) => write!(
                f,
                "Member must satisfy regular expression pattern: {pattern}"
            ),
            Self::OneOf(values) => write!(
                f,
                "Member must satisfy enum value set: [{}]",
                values.join(", ")
            ),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_observed() {
        for (error, text) in [
            (
                Constraint::ValueAtMost(1000).at("maxResults"),
                "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
            ),
            (
                Constraint::text("Invalid JSON syntax").at("ImageManifest"),
                "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
            ),
            (
                Constraint::text("Invalid repository policy provided").at("PolicyText"),
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
            ),
            (
                Constraint::Pattern("[a-z]+".into()).at("repositoryName"),
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z]+''",
            ),
            (
                Constraint::OneOf(&["IMMUTABLE", "MUTABLE"]).at("imageTagMutability"),
                "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE]'",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_other_kinds_follow_the_same_wording() {
        for (constraint, text) in [
            (Constraint::NotNull, "Member must not be null"),
            (
                Constraint::LengthAtLeast(1),
                "Member must have length greater than or equal to 1",
            ),
            (
                Constraint::LengthAtMost(100),
                "Member must have length less than or equal to 100",
            ),
            (
                Constraint::ValueAtLeast(1),
                "Member must have value greater than or equal to 1",
            ),
            (
                Constraint::MemberPattern("[0-9]{12}".into()),
                "Member must satisfy regular expression pattern: [0-9]{12}",
            ),
        ] {
            assert_eq!(constraint.to_string(), text);
        }
    }
}
