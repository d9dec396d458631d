//! Values of a policy: texts that may hold wildcards and policy variables.

use crate::context::Context;
use crate::error::{InvalidPolicy, shown};
use crate::pattern::{Glob, Unit, Units};

/// What a text becomes once its variables have their values.
pub(crate) trait Matcher: Sized {
    /// Whether texts of this kind have wildcards.
    const WILDCARDS: bool;

    /// Whether they match in one case alone.
    const CASE_SENSITIVE: bool = true;

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
        let pieces = pieces(text, M::WILDCARDS, with_variables)?;
        let mut units = Units::default();
        for piece in &pieces {
            match piece {
                Piece::Unit(unit) => units.push(unit.clone()),
                Piece::Variable { .. } => return Ok(Self::Variable(pieces.into())),
            }
        }
        Ok(Self::Fixed(M::compile(&units)))
    }

    /// Whether `text` matches in a request of `context`. A variable without value and default matches nothing.
    pub(crate) fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        match self {
            Self::Fixed(matcher) => matcher.matches(text),
            Self::Variable(pieces) => {
                if M::CASE_SENSITIVE && !may_match(pieces, text) {
                    return false;
                }
                let units = resolve(pieces, context);
                units.is_some_and(|units| M::compile(&units).matches(text))
            }
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

impl Template<Glob> {
    /// Whether any text that begins with `text` matches in a request of `context`.
    pub(crate) fn matches_below(&self, text: &str, context: &Context<'_>) -> bool {
        match self {
            Self::Fixed(glob) => glob.matches_below(text),
            Self::Variable(pieces) => resolve(pieces, context)
                .is_some_and(|units| Glob::from_units(&units).matches_below(text)),
        }
    }
}

/// Whether `text` begins and ends as the pieces do, which is decided before any variable is looked up.
fn may_match(pieces: &[Piece], text: &str) -> bool {
    let begins = match pieces.first() {
        Some(Piece::Unit(Unit::Text(literal))) => text.starts_with(literal.as_str()),
        _ => true,
    };
    let ends = match pieces.last() {
        Some(Piece::Unit(Unit::Text(literal))) => text.ends_with(literal.as_str()),
        _ => true,
    };
    begins && ends
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

fn pieces(
    text: &str,
    with_wildcards: bool,
    with_variables: bool,
) -> Result<Vec<Piece>, InvalidPolicy> {
    let mut pieces = Vec::new();
    let mut rest = text;
    if with_variables {
        while let Some((before, after)) = rest.split_once("${") {
            literal(before, with_wildcards, &mut pieces);
            let (piece, after) =
                variable(after).ok_or_else(|| InvalidPolicy::Variable(shown(text)))?;
            pieces.push(piece);
            rest = after;
        }
    }
    literal(rest, with_wildcards, &mut pieces);
    Ok(pieces)
}

fn literal(text: &str, with_wildcards: bool, pieces: &mut Vec<Piece>) {
    let mut units = Units::default();
    for char in text.chars() {
        match char {
            '*' if with_wildcards => units.push(Unit::Many),
            '?' if with_wildcards => units.push(Unit::One),
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
    if !is_key(key) || key.trim() != key {
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
