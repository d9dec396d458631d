//! ARNs in conditions, compared part by part.

use crate::pattern::{Glob, Units};
use crate::template::Matcher;

const N_PARTS: usize = 6;

/// A pattern for ARNs. Each of the six parts is matched for itself, so that no `*` reaches over a colon before the
/// resource. A pattern with fewer parts matches nothing, but `*` alone matches every ARN.
#[derive(Clone, Debug)]
pub(crate) enum ArnPattern {
    Every,
    Parts(Box<[Glob]>),
}

impl Matcher for ArnPattern {
    const WILDCARDS: bool = true;

    fn compile(units: &Units) -> Self {
        if units.to_text() == "*" {
            return Self::Every;
        }
        let parts = units.split(':', N_PARTS);
        Self::Parts(parts.iter().map(Glob::from_units).collect())
    }

    fn matches(&self, text: &str) -> bool {
        let is_arn = text.starts_with("arn:") && text.splitn(N_PARTS, ':').count() == N_PARTS;
        is_arn
            && match self {
                Self::Every => true,
                Self::Parts(parts) => {
                    parts.len() == N_PARTS
                        && parts
                            .iter()
                            .zip(text.splitn(N_PARTS, ':'))
                            .all(|(pattern, part)| pattern.matches(part))
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use crate::context::Context;
    use crate::template::Template;

    use super::*;

    #[test]
    fn parts_are_matched_each_for_itself() {
        let role = "arn:aws:iam::123456789012:role/team/ci";
        for (pattern, arn, expected) in [
            (role, role, true),
            ("*", role, true),
            ("*", "team", false),
            ("arn:aws:iam::123456789012:role/*", role, true),
            ("arn:aws:iam::*:role/team/??", role, true),
            ("arn:*:*:*:*:*", role, true),
            ("arn:aws:iam:*", role, false),
            ("arn:aws:iam::*", role, false),
            ("arn:aws:iam::123456789012", role, false),
            ("arn:aws:i*m::*:role/*", "arn:aws:i:am::1:role/ci", false),
            ("arn:aws:s:::a:*:b", "arn:aws:s:::a:x:y:b", true),
            ("ARN:aws:iam::123456789012:role/team/ci", role, false),
            ("arn:aws:iam::123456789012:role/Team/ci", role, false),
        ] {
            let pattern_of = Template::<ArnPattern>::parse(pattern, true).unwrap();
            assert_eq!(
                pattern_of.matches(arn, &Context::new()),
                expected,
                "{pattern} on {arn}"
            );
        }
    }
}
