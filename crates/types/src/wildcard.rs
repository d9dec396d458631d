//! The `*` of tag filters and tag patterns.

/// Whether `pattern` matches the whole of `text`; `*` stands for any characters, none included.
///
/// Linear in both lengths: each literal is searched once, from where the last one ended, and the leftmost
/// find is always as good as a later one.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text
        .strip_prefix(head)
        .and_then(|text| text.strip_suffix(tail));
    inner.is_some_and(|inner| holds_in_order(middle, inner))
}

/// Whether the literals between the `*` of `pattern` occur in `text`, in order and without overlap.
fn holds_in_order(pattern: &str, text: &str) -> bool {
    pattern
        .split('*')
        .try_fold(text, |text, literal| {
            text.split_once(literal).map(|(_, after)| after)
        })
        .is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "A", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "", true),
            ("v*", "v1", true),
            ("v*", "v", true),
            ("v*", "rv1", false),
            ("*-rc", "v1-rc", true),
            ("*-rc", "v1-rc2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("ab*ba", "aba", false),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*bc*bc", "abcbc", true),
            ("a*bc*bc", "abc", false),
            ("v1.0", "v1x0", false),
            ("*é*", "aéb", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }

    /// The definition, spelt out: exponential, and obviously right.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                naive(rest, text) || !text.is_empty() && naive(pattern, &text[1..])
            }
            (Some((p, pattern)), Some((t, text))) => p == t && naive(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_matcher(pattern in "[ab*]{0,8}", text in "[ab*]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn a_text_matches_itself_with_any_part_starred(text in "[a-z.]{0,20}", cut in 0_usize..20, len in 0_usize..20) {
            let start = cut.min(text.len());
            let end = (start + len).min(text.len());
            let pattern = format!("{}*{}", &text[..start], &text[end..]);
            prop_assert!(matches(&pattern, &text));
        }
    }
}
