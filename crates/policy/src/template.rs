//! Values of a policy: texts that may hold wildcards and policy variables.

use crate::context::Context;
use crate::error::InvalidPolicy;
use crate::pattern::{Glob, Unit, Units};

/// How a text of a policy is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    /// Whether `*` and `?` stand for characters.
    pub(crate) wildcards: bool,
    /// Whether `${…}` stands for something, as from version 2012-10-17 on.
    pub(crate) variables: bool,
}

/// What a value says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// The text matches.
    Yes,
    /// The text does not match.
    No,
    /// The value has a variable for which the request has no value and the policy no default.
    Unresolved,
}

impl Match {
    /// The answer of several values of which one must match.
    pub(crate) fn any(answers: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::No;
        for answer in answers {
            match answer {
                Self::Yes => return Self::Yes,
                Self::Unresolved => any = Self::Unresolved,
                Self::No => {}
            }
        }
        any
    }
}

impl From<bool> for Match {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What a text becomes once its variables have their values.
pub(crate) trait Matcher: Sized {
    /// Whether texts of this kind have wildcards.
    const WILDCARDS: bool;

    /// Compiles it.
    fn compile(units: &Units) -> Self;

    /// Whether it matches the whole of `text`.
    fn matches(&self, text: &str) -> bool;
}

impl Matcher for Glob {
    const WILDCARDS: bool = true;

    fn compile(units: &Units) -> Self {
        Self::from_units(units)
    }

    fn matches(&self, text: &str) -> bool {
        self.matches(text)
    }
}

/// A text with variables is compiled for each request, one without once.
#[derive(Clone, Debug)]
pub(crate) enum Template<M> {
    Fixed(M),
    Variable(Box<[Piece]>),
}

/// A piece of a text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Unit(Unit),
    /// `${key}` or `${key, 'default'}`.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

impl<M: Matcher> Template<M> {
    /// Reads a text of a policy. Variables count only `with_variables`, as from version 2012-10-17 on.
    pub(crate) fn parse(text: &str, with_variables: bool) -> Result<Self, InvalidPolicy> {
        let syntax = Syntax {
            wildcards: M::WILDCARDS,
            variables: with_variables,
        };
        let pieces = pieces(text, syntax)?;
        let mut units = Units::default();
        for piece in &pieces {
            match piece {
                Piece::Unit(unit) => units.push(unit.clone()),
                Piece::Variable { .. } => return Ok(Self::Variable(pieces.into())),
            }
        }
        Ok(Self::Fixed(M::compile(&units)))
    }

    /// Whether `text` matches in a request of `context`.
    pub(crate) fn matches(&self, text: &str, context: &Context<'_>) -> Match {
        match self {
            Self::Fixed(matcher) => matcher.matches(text).into(),
            Self::Variable(pieces) => match resolve(pieces, context) {
                Some(units) => M::compile(&units).matches(text).into(),
                None => Match::Unresolved,
            },
        }
    }

    /// The context keys that its variables read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let pieces = match self {
            Self::Fixed(_) => &[],
            Self::Variable(pieces) => &**pieces,
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(&**key),
            Piece::Unit(_) => None,
        })
    }
}

/// Puts the values of a request into a text. What a value holds stands for itself: its stars are no wildcards.
fn resolve(pieces: &[Piece], context: &Context<'_>) -> Option<Units> {
    let mut units = Units::default();
    for piece in pieces {
        match piece {
            Piece::Unit(unit) => units.push(unit.clone()),
            Piece::Variable { key, default } if !context.contains(key) => {
                units.push_text(default.as_deref()?);
            }
            Piece::Variable { key, .. } => units.push_text(context.single(key)?),
        }
    }
    Some(units)
}

fn pieces(text: &str, syntax: Syntax) -> Result<Vec<Piece>, InvalidPolicy> {
    let mut pieces = Vec::new();
    let mut rest = text;
    if syntax.variables {
        while let Some((before, after)) = rest.split_once("${") {
            literal(before, syntax, &mut pieces);
            let (piece, after) =
                variable(after).ok_or_else(|| InvalidPolicy::Variable(text.to_owned()))?;
            pieces.push(piece);
            rest = after;
        }
    }
    literal(rest, syntax, &mut pieces);
    Ok(pieces)
}

fn literal(text: &str, syntax: Syntax, pieces: &mut Vec<Piece>) {
    let mut units = Units::default();
    for char in text.chars() {
        match char {
            '*' if syntax.wildcards => units.push(Unit::Many),
            '?' if syntax.wildcards => units.push(Unit::One),
            char => units.push_char(char),
        }
    }
    pieces.extend(units.into_iter().map(Piece::Unit));
}

/// Reads what follows `${` and returns what follows its `}`.
fn variable(text: &str) -> Option<(Piece, &str)> {
    for special in ["*", "?", "$"] {
        if let Some(after) = text
            .strip_prefix(special)
            .and_then(|text| text.strip_prefix('}'))
        {
            return Some((Piece::Unit(Unit::Text(special.to_owned())), after));
        }
    }
    let end = text.find([',', '}'])?;
    let (key, rest) = text.split_at_checked(end)?;
    let key = key.trim();
    if !is_key(key) {
        return None;
    }
    let (default, after) = if let Some(after) = rest.strip_prefix('}') {
        (None, after)
    } else {
        let quoted = rest.strip_prefix(',')?.trim_start().strip_prefix('\'')?;
        let (default, after) = quoted.split_once('\'')?;
        (Some(default.into()), after.trim_start().strip_prefix('}')?)
    };
    let key = key.into();
    Some((Piece::Variable { key, default }, after))
}

/// Whether `key` can be a context key: a service or provider, a colon, and a name.
pub(crate) fn is_key(key: &str) -> bool {
    let named = key
        .split_once(':')
        .is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty());
    named
        && !key.contains(['$', '{', '}', '\'', '"', '*', '?'])
        && !key.chars().any(char::is_control)
}
