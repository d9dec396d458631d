//! `Action` and `Resource`, and their opposites.

use crate::context::Context;
use crate::error::{InvalidPolicy, shown};
use crate::json::Json;
use crate::pattern::Glob;
use crate::policy::Kind;
use crate::template::Template;

/// `Action` or `NotAction`. Actions are compared without regard to case.
#[derive(Clone, Debug)]
pub(crate) struct Actions {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[ActionPattern]>,
}

/// One action as a policy writes it.
#[derive(Clone, Debug)]
pub(crate) struct ActionPattern {
    /// In lower case.
    pub(crate) text: Box<str>,
    pub(crate) matcher: ActionMatcher,
}

/// How an action is compared.
#[derive(Clone, Debug)]
pub(crate) enum ActionMatcher {
    /// `*`.
    Every,
    /// No wildcards.
    Exact,
    /// Wildcards after the colon.
    Glob(Glob),
}

impl Actions {
    pub(crate) fn parse(json: &Json, negated: bool, kind: Kind) -> Result<Self, InvalidPolicy> {
        let texts = texts(json)?;
        if texts.is_empty() {
            return Err(InvalidPolicy::NoAction);
        }
        let patterns = texts.iter().map(|text| ActionPattern::parse(text, kind));
        Ok(Self {
            negated,
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `action`, in lower case, is one of them.
    pub(crate) fn contain(&self, action: &str) -> bool {
        let any = self.patterns.iter().any(|pattern| pattern.matches(action));
        any != self.negated
    }
}

impl ActionPattern {
    fn parse(text: &str, kind: Kind) -> Result<Self, InvalidPolicy> {
        let lower: Box<str> = text.to_ascii_lowercase().into();
        if &*lower == "*" {
            kind.check_service(None)?;
            let matcher = ActionMatcher::Every;
            return Ok(Self {
                text: lower,
                matcher,
            });
        }
        let (vendor, name) = lower.split_once(':').ok_or(InvalidPolicy::NoVendor)?;
        let is_vendor = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if name.contains(':') {
            return Err(InvalidPolicy::ActionColons);
        }
        if vendor.is_empty() || !vendor.bytes().all(is_vendor) {
            return Err(InvalidPolicy::Vendor(shown(vendor)));
        }
        kind.check_service(Some(vendor))?;
        let matcher = if name.contains(['*', '?']) {
            ActionMatcher::Glob(Glob::new(&lower))
        } else {
            ActionMatcher::Exact
        };
        Ok(Self {
            text: lower,
            matcher,
        })
    }

    /// Whether `action`, in lower case, is meant.
    pub(crate) fn matches(&self, action: &str) -> bool {
        match &self.matcher {
            ActionMatcher::Every => true,
            ActionMatcher::Exact => *self.text == *action,
            ActionMatcher::Glob(glob) => glob.matches(action),
        }
    }
}

/// `Resource` or `NotResource`. ARNs are compared with regard to case.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    negated: bool,
    patterns: Box<[ResourcePattern]>,
}

#[derive(Clone, Debug)]
enum ResourcePattern {
    /// `*`.
    Every,
    Arn(Template<Glob>),
}

impl Resources {
    /// The object that the policy is attached to, whatever its ARN.
    pub(crate) fn every() -> Self {
        Self {
            negated: false,
            patterns: [ResourcePattern::Every].into(),
        }
    }

    pub(crate) fn parse(
        json: &Json,
        negated: bool,
        with_variables: bool,
    ) -> Result<Self, InvalidPolicy> {
        let texts = texts(json)?;
        if texts.is_empty() {
            return Err(InvalidPolicy::NoResource);
        }
        let patterns = texts.iter().map(|text| match *text {
            "*" => Ok(ResourcePattern::Every),
            arn if arn.starts_with("arn:") => {
                Template::parse(arn, with_variables).map(ResourcePattern::Arn)
            }
            other => Err(InvalidPolicy::ResourceFormat(shown(other))),
        });
        Ok(Self {
            negated,
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `resource` is one of them.
    pub(crate) fn contain(&self, resource: &str, context: &Context<'_>) -> bool {
        let any = self.patterns.iter().any(|pattern| match pattern {
            ResourcePattern::Every => true,
            ResourcePattern::Arn(template) => template.matches(resource, context),
        });
        any != self.negated
    }

    /// Whether any resource that begins with `text` is one of them.
    pub(crate) fn contain_any_below(&self, text: &str, context: &Context<'_>) -> bool {
        if self.negated {
            return !self.names_all_below(text, context);
        }
        self.names_any_below(text, context)
    }

    /// Whether each resource that begins with `text` is one of them, as far as a single pattern tells.
    pub(crate) fn contain_all_below(&self, text: &str, context: &Context<'_>) -> bool {
        if self.negated {
            return !self.names_any_below(text, context);
        }
        self.names_all_below(text, context)
    }

    fn names_any_below(&self, text: &str, context: &Context<'_>) -> bool {
        self.patterns.iter().any(|pattern| match pattern {
            ResourcePattern::Every => true,
            ResourcePattern::Arn(template) => template.matches_below(text, context),
        })
    }

    fn names_all_below(&self, text: &str, context: &Context<'_>) -> bool {
        // No pattern spells these, so one that matches both of them ends with a star.
        let strange = ["\u{f8ff}", "\u{f8fe}\u{f8fe}"].map(|end| format!("{text}{end}"));
        self.patterns.iter().any(|pattern| match pattern {
            ResourcePattern::Every => true,
            ResourcePattern::Arn(template) => strange
                .iter()
                .all(|resource| template.matches(resource, context)),
        })
    }

    /// The context keys that its variables read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().flat_map(|pattern| {
            match pattern {
                ResourcePattern::Every => None,
                ResourcePattern::Arn(template) => Some(template.keys()),
            }
            .into_iter()
            .flatten()
        })
    }
}

/// One or several texts.
pub(crate) fn texts(json: &Json) -> Result<Vec<&str>, InvalidPolicy> {
    let mut texts = Vec::new();
    for json in json.as_list() {
        match json {
            Json::Text(text) => texts.push(text.as_str()),
            _ => return Err(InvalidPolicy::Syntax),
        }
    }
    Ok(texts)
}
