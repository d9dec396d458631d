//! What a condition compares with: the operators and their values.

use std::cmp::Ordering;

use base64::{Engine, engine::general_purpose::STANDARD};
use longshore_types::time::Timestamp;

use crate::condition::address::Network;
use crate::condition::arn::ArnPattern;
use crate::condition::number::Decimal;
use crate::condition::text::{Exact, Folded};
use crate::condition::{address, date};
use crate::context::Context;
use crate::error::InvalidPolicy;
use crate::pattern::Glob;
use crate::template::{Matcher, Template};

/// An operator with its values: of several, one must match, and with a negated operator none may.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) negated: bool,
    pub(crate) operands: Operands,
}

/// The values, by the type that the operator reads.
#[derive(Clone, Debug)]
pub(crate) enum Operands {
    Text(Box<[Template<Exact>]>),
    TextIgnoreCase(Box<[Template<Folded>]>),
    Like(Box<[Template<Glob>]>),
    Arn(Box<[Template<ArnPattern>]>),
    Number(Relation, Box<[Decimal]>),
    Date(Relation, Box<[Timestamp]>),
    Bool(Box<[bool]>),
    Binary(Box<[Vec<u8>]>),
    Address(Box<[Network]>),
    /// Whether the key must be absent.
    Null(Box<[bool]>),
}

/// How a value of the request must stand to one of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// Reads the end of an operator's name, such as `LessThan`. `NotEquals` is for the caller to negate.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "Equals" | "NotEquals" => Self::Equal,
            "LessThan" => Self::Less,
            "LessThanEquals" => Self::LessOrEqual,
            "GreaterThan" => Self::Greater,
            "GreaterThanEquals" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

impl Test {
    /// Reads an operator without prefix and suffix; `None` when there is none of that name.
    pub(crate) fn parse(
        name: &str,
        values: &[String],
        with_variables: bool,
    ) -> Result<Option<Self>, InvalidPolicy> {
        let operands = match name {
            "StringEquals" | "StringNotEquals" => {
                Operands::Text(templates(values, with_variables)?)
            }
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => {
                Operands::TextIgnoreCase(templates(values, with_variables)?)
            }
            "StringLike" | "StringNotLike" => Operands::Like(templates(values, with_variables)?),
            "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => {
                Operands::Arn(templates(values, with_variables)?)
            }
            "Bool" => Operands::Bool(all(values, truth)?),
            "Null" => Operands::Null(all(values, truth)?),
            "BinaryEquals" => Operands::Binary(all(values, |text| STANDARD.decode(text).ok())?),
            "IpAddress" | "NotIpAddress" => Operands::Address(all(values, Network::parse)?),
            _ => match ordered(name, values)? {
                Some(operands) => operands,
                None => return Ok(None),
            },
        };
        Ok(Some(Self {
            negated: name.contains("Not"),
            operands,
        }))
    }
}

fn ordered(name: &str, values: &[String]) -> Result<Option<Operands>, InvalidPolicy> {
    if let Some(relation) = name.strip_prefix("Numeric").and_then(Relation::parse) {
        let numbers = all(values, Decimal::parse)?;
        return Ok(Some(Operands::Number(relation, numbers)));
    }
    if let Some(relation) = name.strip_prefix("Date").and_then(Relation::parse) {
        return Ok(Some(Operands::Date(relation, all(values, date::parse)?)));
    }
    Ok(None)
}

fn templates<M: Matcher>(
    values: &[String],
    with_variables: bool,
) -> Result<Box<[Template<M>]>, InvalidPolicy> {
    let parse = |text: &String| Template::parse(text, with_variables);
    values.iter().map(parse).collect()
}

fn all<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Result<Box<[T]>, InvalidPolicy> {
    let parse = |text: &String| parse(text).ok_or(InvalidPolicy::Value);
    values.iter().map(parse).collect()
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

impl Operands {
    /// Whether one of them matches `value`. A value of another type than the operator's matches none.
    pub(crate) fn matches(&self, value: &str, context: &Context<'_>) -> bool {
        match self {
            Self::Text(texts) => any_template(texts, value, context),
            Self::TextIgnoreCase(texts) => any_template(texts, value, context),
            Self::Like(patterns) => any_template(patterns, value, context),
            Self::Arn(patterns) => any_template(patterns, value, context),
            Self::Number(relation, numbers) => {
                any_ordered(*relation, numbers, Decimal::parse(value))
            }
            Self::Date(relation, dates) => any_ordered(*relation, dates, date::parse(value)),
            Self::Bool(wanted) => truth(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binary(wanted) => STANDARD
                .decode(value)
                .is_ok_and(|bytes| wanted.contains(&bytes)),
            Self::Address(networks) => address::parse(value)
                .is_some_and(|address| networks.iter().any(|network| network.contains(address))),
            Self::Null(_) => false,
        }
    }

    /// The context keys that variables in the values read.
    pub(crate) fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Text(texts) => Box::new(texts.iter().flat_map(Template::keys)),
            Self::TextIgnoreCase(texts) => Box::new(texts.iter().flat_map(Template::keys)),
            Self::Like(patterns) => Box::new(patterns.iter().flat_map(Template::keys)),
            Self::Arn(patterns) => Box::new(patterns.iter().flat_map(Template::keys)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

fn any_template<M: Matcher>(templates: &[Template<M>], value: &str, context: &Context<'_>) -> bool {
    templates
        .iter()
        .any(|template| template.matches(value, context))
}

fn any_ordered<T: Ord>(relation: Relation, wanted: &[T], value: Option<T>) -> bool {
    value.is_some_and(|value| {
        wanted
            .iter()
            .any(|wanted| relation.holds(value.cmp(wanted)))
    })
}
