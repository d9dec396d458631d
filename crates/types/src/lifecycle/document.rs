//! Reading a policy: the document's form, then what its rules must be beside each other.
//!
//! Names that begin with `x-longshore-` are this registry's own; a document without them is read as ECR reads it.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::schema::{NEITHER, Object, items, positive, text, texts, word};
use super::{Action, Class, Condition, InvalidLifecyclePolicy, LifecyclePolicy, Rule, Selection};

type Result<T> = std::result::Result<T, InvalidLifecyclePolicy>;

/// The most rules that a policy may have (`behaviour.md` section 6).
const MAX_RULES: usize = 50;
/// The most `*` that a tag pattern may hold.
const MAX_WILDCARDS: usize = 4;
/// For how many days an archived image is paid for at least.
const MIN_ARCHIVED_DAYS: u32 = 90;

/// A rule as the document has it, with all that ECR knows.
struct Written {
    priority: u32,
    selection: Selection,
    excluded: Vec<String>,
    class: Class,
    count: Count,
    number: u32,
    action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    MoreThan,
    SincePushed,
    SincePulled,
    /// The same, of which ECR's rules for last pulls do not hold.
    SinceUsed,
    SinceTransitioned,
}

/// The member that says for how many hours what expires can be brought back.
const UNDO: &str = "x-longshore-undoHours";
/// Thirty days.
const MAX_UNDO_HOURS: u32 = 720;

/// The member that names tags of which an image with any is not selected.
const EXCLUDED: &str = "x-longshore-excludeTagPatterns";

impl FromStr for LifecyclePolicy {
    type Err = InvalidLifecyclePolicy;

    fn from_str(document: &str) -> Result<Self> {
        let unmapped =
            || InvalidLifecyclePolicy::new("Could not map policyString into LifecyclePolicy.");
        let document: Value = serde_json::from_str(document).map_err(|_| unmapped())?;
        if !document.is_object() {
            return Err(unmapped());
        }
        let (mut rules, undo) = members(&document)?;
        rules.sort_by_key(|rule| rule.priority);
        check_priorities(&rules)?;
        check_classes(&rules)?;
        let rules = rules.into_iter().map(built).collect();
        Ok(Self { rules, undo })
    }
}

fn members(document: &Value) -> Result<(Vec<Written>, Option<Duration>)> {
    let reason = "object has missing required properties ([\"rules\"])";
    if !document["rules"].is_array() {
        return Err(InvalidLifecyclePolicy::new(reason));
    }
    let document = Object::of(document, &["rules"], &[UNDO])?;
    let rules = items(document.member("rules"), MAX_RULES)?;
    let rules = rules.iter().map(rule).collect::<Result<_>>()?;
    let undo = document.find(UNDO).map(undo).transpose()?;
    Ok((rules, undo))
}

fn undo(hours: &Value) -> Result<Duration> {
    let hours = positive(hours)?;
    if hours > MAX_UNDO_HOURS {
        return Err(InvalidLifecyclePolicy(format!(
            "numeric instance is greater than the required maximum (maximum: {MAX_UNDO_HOURS}, found: {hours})"
        )));
    }
    Ok(Duration::from_hours(hours.into()))
}

fn rule(value: &Value) -> Result<Written> {
    let rule = Object::of(
        value,
        &["rulePriority", "selection", "action"],
        &["description"],
    )?;
    rule.find("description").map(text).transpose()?;
    let priority = positive(rule.member("rulePriority"))?;
    let action = action(rule.member("action"))?;
    let required = ["tagStatus", "countType", "countNumber"];
    let optional = [
        "tagPatternList",
        "tagPrefixList",
        "storageClass",
        "countUnit",
        EXCLUDED,
    ];
    let selecting = Object::of(rule.member("selection"), &required, &optional)?;
    let written = Written {
        priority,
        action,
        selection: selection(&selecting)?,
        excluded: excluded(&selecting)?,
        class: class(&selecting)?,
        count: count(&selecting)?,
        number: positive(selecting.member("countNumber"))?,
    };
    check_pairing(&written)?;
    Ok(written)
}

fn action(value: &Value) -> Result<Action> {
    let action = Object::of(value, &["type"], &["targetStorageClass"])?;
    let class = action.find("targetStorageClass");
    match (text(action.member("type"))?, class) {
        ("transition", Some(class)) => {
            word(class, &["archive"])?;
            Ok(Action::Transition)
        }
        ("expire", None) => Ok(Action::Expire),
        ("x-longshore-untag", None) => Ok(Action::Untag),
        ("expire" | "transition", _) => Err(InvalidLifecyclePolicy::new(NEITHER)),
        // The text is older than transitions.
        _ => word(action.member("type"), &["expire"]).map(|_| Action::Expire),
    }
}

fn class(selecting: &Object<'_>) -> Result<Class> {
    let class = selecting.find("storageClass");
    match class
        .map(|class| word(class, &["archive", "standard"]))
        .transpose()?
    {
        Some("archive") => Ok(Class::Archive),
        _ => Ok(Class::Standard),
    }
}

fn count(selecting: &Object<'_>) -> Result<Count> {
    let count = match text(selecting.member("countType"))? {
        "imageCountMoreThan" => Count::MoreThan,
        "sinceImagePushed" => Count::SincePushed,
        "sinceImagePulled" => Count::SincePulled,
        "x-longshore-sinceImagePulled" => Count::SinceUsed,
        "sinceImageTransitioned" => Count::SinceTransitioned,
        _ => return Err(InvalidLifecyclePolicy::new(NEITHER)),
    };
    match (count, selecting.find("countUnit")) {
        (Count::MoreThan, None) => {}
        (Count::MoreThan, Some(_)) | (_, None) => return Err(InvalidLifecyclePolicy::new(NEITHER)),
        (_, Some(unit)) => drop(word(unit, &["days"])?),
    }
    Ok(count)
}

fn selection(selecting: &Object<'_>) -> Result<Selection> {
    let status = word(
        selecting.member("tagStatus"),
        &["any", "tagged", "untagged"],
    )?;
    let list = |name| selecting.find(name).map(texts).transpose();
    match (status, list("tagPatternList")?, list("tagPrefixList")?) {
        ("tagged", Some(patterns), None) => {
            check_patterns(&patterns)?;
            Ok(Selection::Patterns(patterns))
        }
        ("tagged", None, Some(prefixes)) => Ok(Selection::Prefixes(prefixes)),
        ("tagged", None, None) => Err(InvalidLifecyclePolicy::new(
            "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
        )),
        ("tagged", Some(_), Some(_)) => Err(InvalidLifecyclePolicy::new(
            "Must specify only one of tagPrefixList and tagPatternList when tagStatus=TAGGED.",
        )),
        ("any", None, None) => Ok(Selection::Any),
        (_, None, None) => Ok(Selection::Untagged),
        (status, ..) => Err(InvalidLifecyclePolicy(format!(
            "Must not specify tagPrefixList or tagPatternList when tagStatus={}.",
            status.to_uppercase()
        ))),
    }
}

fn excluded(selecting: &Object<'_>) -> Result<Vec<String>> {
    let Some(patterns) = selecting.find(EXCLUDED).map(texts).transpose()? else {
        return Ok(Vec::new());
    };
    check_patterns(&patterns)?;
    if selecting.member("tagStatus") == "untagged" {
        let reason = format!("Must not specify {EXCLUDED} when tagStatus=UNTAGGED.");
        return Err(InvalidLifecyclePolicy(reason));
    }
    Ok(patterns)
}

fn check_patterns(patterns: &[String]) -> Result<()> {
    let is_wild = |pattern: &&String| pattern.matches('*').count() > MAX_WILDCARDS;
    match patterns.iter().find(is_wild) {
        Some(pattern) => Err(InvalidLifecyclePolicy(format!(
            "Tag pattern {pattern} has more than {MAX_WILDCARDS} wildcards."
        ))),
        None => Ok(()),
    }
}

/// Which actions and storage classes go with which way of counting.
fn check_pairing(rule: &Written) -> Result<()> {
    let is_archived = rule.count == Count::SinceTransitioned;
    let reason = match (rule.count, rule.action) {
        (Count::SincePulled, Action::Expire | Action::Untag) => {
            "countType=SINCE_IMAGE_PULLED is for action type=TRANSITION only."
        }
        (Count::SinceTransitioned, Action::Transition | Action::Untag) => {
            "countType=SINCE_IMAGE_TRANSITIONED is for action type=EXPIRE only."
        }
        (_, Action::Untag) if matches!(rule.selection, Selection::Any | Selection::Untagged) => {
            "action type=X-LONGSHORE-UNTAG is for tagStatus=TAGGED only."
        }
        _ if is_archived && rule.class == Class::Standard => {
            "Must specify storageClass=ARCHIVE when countType=SINCE_IMAGE_TRANSITIONED."
        }
        _ if !is_archived && rule.class == Class::Archive => {
            "storageClass=ARCHIVE is for countType=SINCE_IMAGE_TRANSITIONED only."
        }
        _ if is_archived && rule.number < MIN_ARCHIVED_DAYS => {
            "countNumber must be at least 90 when countType=SINCE_IMAGE_TRANSITIONED."
        }
        _ => return Ok(()),
    };
    Err(InvalidLifecyclePolicy::new(reason))
}

/// Takes the rules in order of priority.
fn check_priorities(rules: &[Written]) -> Result<()> {
    let twice = rules
        .array_windows()
        .find(|[one, next]| one.priority == next.priority);
    match twice {
        Some([rule, _]) => Err(InvalidLifecyclePolicy(format!(
            "Rule priority {} is not unique.",
            rule.priority
        ))),
        None => Ok(()),
    }
}

/// What holds for the rules of each storage class, in order of priority.
fn check_classes(rules: &[Written]) -> Result<()> {
    for class in [Class::Standard, Class::Archive] {
        let of_class = rules.iter().filter(|rule| rule.class == class);
        let selections: Vec<&Selection> = of_class.map(|rule| &rule.selection).collect();
        check_selections(&selections)?;
    }
    Ok(())
}

fn check_selections(selections: &[&Selection]) -> Result<()> {
    let others = selections
        .split_last()
        .map_or(&[][..], |(_, others)| others);
    if others.contains(&&Selection::Any) {
        return Err(InvalidLifecyclePolicy::new(
            "Rule for tagStatus=ANY must have the lowest priority per storage class",
        ));
    }
    let is_untagged = |selection: &&&Selection| ***selection == Selection::Untagged;
    if selections.iter().filter(is_untagged).count() > 1 {
        return Err(InvalidLifecyclePolicy::new(
            "Only one rule can select Untagged images per storage class",
        ));
    }
    let mut seen = BTreeSet::new();
    for selection in selections {
        let (kind, list) = match selection {
            Selection::Patterns(list) => ("tagPatternList", list),
            Selection::Prefixes(list) => ("tagPrefixList", list),
            Selection::Any | Selection::Untagged => continue,
        };
        let set: BTreeSet<&str> = list.iter().map(String::as_str).collect();
        if !seen.insert((kind, set)) {
            return Err(InvalidLifecyclePolicy(format!(
                "Each rule must have a unique {kind} per storage class."
            )));
        }
    }
    Ok(())
}

fn built(rule: Written) -> Rule {
    Rule {
        priority: rule.priority,
        class: rule.class,
        selection: rule.selection,
        excluded: rule.excluded,
        condition: match rule.count {
            Count::MoreThan => Condition::CountMoreThan(rule.number),
            Count::SincePushed => Condition::PushedDaysAgo(rule.number),
            Count::SincePulled | Count::SinceUsed => Condition::PulledDaysAgo(rule.number),
            Count::SinceTransitioned => Condition::ArchivedDaysAgo(rule.number),
        },
        action: rule.action,
    }
}

#[cfg(test)]
mod tests;
