//! `*` and `?`: patterns compiled for matching.

/// What a pattern is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Characters that stand for themselves.
    Text(String),
    /// `*`: any characters, none included.
    Many,
    /// `?`: exactly one character.
    One,
}

/// A pattern with `*` and `?`, cut at its stars.
///
/// Each part is searched once, leftmost, from where the last one ended: a later find is never better, so there is
/// no backtracking. A text of n bytes costs at most n comparisons of the longest part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    head: Part,
    /// What follows each star; the last part is bound to the end of the text.
    rest: Box<[Part]>,
}

/// A piece of a pattern between two stars.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// Texts and `?`; the number is that of the characters which it matches.
    Mixed(Box<[Unit]>, usize),
}

impl Glob {
    /// Compiles a text in which `*` and `?` are wildcards and nothing else is special.
    pub(crate) fn new(pattern: &str) -> Self {
        let mut units = Units::default();
        for char in pattern.chars() {
            match char {
                '*' => units.push(Unit::Many),
                '?' => units.push(Unit::One),
                char => units.push_char(char),
            }
        }
        Self::from_units(&units)
    }

    pub(crate) fn from_units(units: &Units) -> Self {
        let mut parts = units.0.split(|unit| *unit == Unit::Many).map(Part::new);
        let head = parts.next().unwrap_or(Part::Text("".into()));
        Self {
            head,
            rest: parts.collect(),
        }
    }

    /// Whether the pattern matches the whole of `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some(text) = self.head.strip_prefix(text) else {
            return false;
        };
        let Some((tail, middle)) = self.rest.split_last() else {
            return text.is_empty();
        };
        let Some(text) = tail.strip_suffix(text) else {
            return false;
        };
        middle
            .iter()
            .try_fold(text, |text, part| part.find_after(text))
            .is_some()
    }

    /// Whether the pattern matches any text that begins with `text`.
    pub(crate) fn matches_below(&self, text: &str) -> bool {
        let past = self.head.strip_prefix(text).is_some() && !self.rest.is_empty();
        past || self.head.begins_with(text)
    }
}

impl Part {
    fn new(units: &[Unit]) -> Self {
        match units {
            [] => Self::Text("".into()),
            [Unit::Text(text)] => Self::Text(text.as_str().into()),
            mixed => {
                let n_chars = |unit: &Unit| match unit {
                    Unit::Text(text) => text.chars().count(),
                    Unit::One | Unit::Many => 1,
                };
                Self::Mixed(mixed.into(), mixed.iter().map(n_chars).sum())
            }
        }
    }

    fn strip_prefix<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(part) => text.strip_prefix(&**part),
            Self::Mixed(units, _) => units.iter().try_fold(text, |text, unit| match unit {
                Unit::Text(part) => text.strip_prefix(part.as_str()),
                Unit::One | Unit::Many => {
                    let mut chars = text.chars();
                    chars.next().map(|_| chars.as_str())
                }
            }),
        }
    }

    /// Whether `text` is what the part begins with.
    fn begins_with(&self, text: &str) -> bool {
        let units = match self {
            Self::Text(part) => return part.starts_with(text),
            Self::Mixed(units, _) => units,
        };
        let mut text = text;
        for unit in units {
            let after = match unit {
                Unit::Text(part) if part.len() >= text.len() => return part.starts_with(text),
                Unit::Text(part) => text.strip_prefix(part.as_str()),
                Unit::One | Unit::Many => {
                    let mut chars = text.chars();
                    chars.next().map(|_| chars.as_str())
                }
            };
            let Some(after) = after else {
                return text.is_empty();
            };
            text = after;
        }
        text.is_empty()
    }

    fn strip_suffix<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(part) => text.strip_suffix(&**part),
            Self::Mixed(_, n_chars) => {
                let (start, _) = text.char_indices().rev().nth(n_chars.checked_sub(1)?)?;
                let (before, end) = text.split_at_checked(start)?;
                self.strip_prefix(end).map(|_| before)
            }
        }
    }

    /// What follows the leftmost occurrence.
    fn find_after<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(part) => text.split_once(&**part).map(|(_, after)| after),
            Self::Mixed(..) => text
                .char_indices()
                .find_map(|(start, _)| self.strip_prefix(text.get(start..)?)),
        }
    }
}

/// A sequence of [`Unit`] in which no two texts are neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units(Vec<Unit>);

impl Units {
    /// Appends a wildcard or a text.
    pub(crate) fn push(&mut self, unit: Unit) {
        match unit {
            Unit::Text(text) => self.push_text(&text),
            wildcard => self.0.push(wildcard),
        }
    }

    /// Appends characters that stand for themselves.
    pub(crate) fn push_text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Unit::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.0.push(Unit::Text(text.to_owned())),
        }
    }

    /// Appends a character that stands for itself.
    pub(crate) fn push_char(&mut self, char: char) {
        self.push_text(char.encode_utf8(&mut [0; 4]));
    }

    /// The text with its wildcards as they are written.
    pub(crate) fn to_text(&self) -> String {
        let written = self.0.iter().map(|unit| match unit {
            Unit::Text(text) => text.as_str(),
            Unit::Many => "*",
            Unit::One => "?",
        });
        written.collect()
    }

    /// Divides at the first `n - 1` occurrences of `separator` in texts.
    pub(crate) fn split(&self, separator: char, n: usize) -> Vec<Self> {
        let mut n_left = n.saturating_sub(1);
        let mut parts = Vec::new();
        let mut part = Self::default();
        for unit in &self.0 {
            let Unit::Text(text) = unit else {
                part.push(unit.clone());
                continue;
            };
            let mut rest = text.as_str();
            while n_left > 0
                && let Some((before, after)) = rest.split_once(separator)
            {
                part.push_text(before);
                parts.push(std::mem::take(&mut part));
                (rest, n_left) = (after, n_left - 1);
            }
            part.push_text(rest);
        }
        parts.push(part);
        parts
    }
}

impl IntoIterator for Units {
    type Item = Unit;
    type IntoIter = std::vec::IntoIter<Unit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stand_for_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a:b/c", true),
            ("**", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*?c", "ac", false),
            ("a*?c", "abc", true),
            ("*?", "a", true),
            ("?*", "", false),
            ("*a?*", "ba", false),
            ("*a?*", "bab", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("a?*?a", "aa", false),
            ("a?*?a", "abba", true),
            ("A", "a", false),
            ("a*bc*bc", "abc", false),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern:?} on {text:?}"
            );
        }
    }

    #[test]
    fn many_stars_do_not_multiply() {
        let pattern = Glob::new(&"*a".repeat(2000));
        assert!(!pattern.matches(&"a".repeat(1999)));
        assert!(Glob::new(&"*a?".repeat(500)).matches(&"ab".repeat(1000)));
    }

    /// The definition, spelt out: exponential, and obviously right.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                naive(rest, text) || !text.is_empty() && naive(pattern, &text[1..])
            }
            (Some(('?', pattern)), Some((_, text))) => naive(pattern, text),
            (Some((p, pattern)), Some((t, text))) => p == t && naive(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_matcher(pattern in "[abé*?]{0,8}", text in "[abé?*]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Glob::new(&pattern).matches(&text), naive(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn what_is_below_agrees_with_the_naive_matcher(pattern in "[ab*?]{0,6}", text in "[ab]{0,4}") {
            // Whatever a pattern matches below a text, it matches with no more characters than it has itself.
            let mut below = vec![String::new()];
            let mut level = below.clone();
            for _ in 0..6 {
                level = level.iter().flat_map(|end| ["a", "b"].map(|char| format!("{end}{char}"))).collect();
                below.extend(level.iter().cloned());
            }
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let any = below.iter().any(|end| naive(&chars(&pattern), &chars(&format!("{text}{end}"))));
            prop_assert_eq!(Glob::new(&pattern).matches_below(&text), any);
        }

        #[test]
        fn splitting_keeps_everything(pattern in "[ab:*?]{0,12}", n in 1_usize..4) {
            let mut units = Units::default();
            for char in pattern.chars() {
                match char {
                    '*' => units.push(Unit::Many),
                    '?' => units.push(Unit::One),
                    char => units.push_char(char),
                }
            }
            let parts: Vec<String> = units.split(':', n).iter().map(Units::to_text).collect();
            prop_assert_eq!(parts, pattern.splitn(n, ':').collect::<Vec<_>>());
        }
    }
}
