//! The form of the document: a JSON schema by hand, with the texts of the validator that ECR runs.

use serde_json::{Map, Value};

use super::InvalidLifecyclePolicy;

type Result<T> = std::result::Result<T, InvalidLifecyclePolicy>;

/// What does not fit either of the two alternatives that a part of the document has.
pub(super) const NEITHER: &str = "instance failed to match exactly one schema (matched 0 out of 2)";

/// An object that has all of `required` and nothing but those and `optional`.
#[derive(Debug)]
pub(super) struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    pub(super) fn of(value: &'a Value, required: &[&str], optional: &[&str]) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(wrong_type(value, "object"));
        };
        let is_known = |name: &&str| required.contains(name) || optional.contains(name);
        let missing = required
            .iter()
            .copied()
            .filter(|name| !members.contains_key(*name));
        let missing = quoted(missing);
        if !missing.is_empty() {
            let reason = format!("object has missing required properties ([{missing}])");
            return Err(InvalidLifecyclePolicy(reason));
        }
        let unknown = quoted(
            members
                .keys()
                .map(String::as_str)
                .filter(|name| !is_known(name)),
        );
        if !unknown.is_empty() {
            let reason = format!(
                "object instance has properties which are not allowed by the schema: ([{unknown}])"
            );
            return Err(InvalidLifecyclePolicy(reason));
        }
        Ok(Self(members))
    }

    /// A required member.
    pub(super) fn member(&self, name: &str) -> &'a Value {
        self.find(name).unwrap_or(&Value::Null)
    }

    /// A member, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

/// A text that is one of `words`, which are in order.
pub(super) fn word<'a>(value: &'a Value, words: &[&str]) -> Result<&'a str> {
    let text = text(value)?;
    if words.contains(&text) {
        return Ok(text);
    }
    let words = quoted(words.iter().copied());
    Err(InvalidLifecyclePolicy(format!(
        "instance value ({text}) not found in enum :(possible values: [{words}])"
    )))
}

pub(super) fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| wrong_type(value, "string"))
}

/// An integer of at least 1 that fits 31 bits.
pub(super) fn positive(value: &Value) -> Result<u32> {
    const MOST: i32 = i32::MAX;
    let number = match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => number,
        other => return Err(wrong_type(other, "integer")),
    };
    let found = number.as_u64().and_then(|found| u32::try_from(found).ok());
    match found {
        Some(found) if found > 0 && found <= MOST.unsigned_abs() => Ok(found),
        _ if number.as_i64().is_some_and(|found| found < 1) => {
            Err(InvalidLifecyclePolicy(format!(
                "numeric instance is lower than the required minimum (minimum: 1, found: {number})"
            )))
        }
        _ => Err(InvalidLifecyclePolicy(format!(
            "numeric instance is greater than the required maximum (maximum: {MOST}, found: {number})"
        ))),
    }
}

/// A list of 1 to `most` items.
pub(super) fn items(value: &Value, most: usize) -> Result<&[Value]> {
    let Value::Array(items) = value else {
        return Err(wrong_type(value, "array"));
    };
    let length = items.len();
    if length == 0 {
        Err(InvalidLifecyclePolicy::new(
            "array is too short: must have at least 1 elements but instance has 0 elements",
        ))
    } else if length > most {
        Err(InvalidLifecyclePolicy(format!(
            "array is too long: must have at most {most} elements but instance has {length} elements"
        )))
    } else {
        Ok(items)
    }
}

/// A list of texts, none of them empty.
pub(super) fn texts(value: &Value) -> Result<Vec<String>> {
    let item = |value| match text(value)? {
        "" => Err(InvalidLifecyclePolicy::new(
            "string \"\" is too short (length: 0, required minimum: 1)",
        )),
        text => Ok(text.to_owned()),
    };
    items(value, usize::MAX)?.iter().map(item).collect()
}

fn wrong_type(value: &Value, allowed: &str) -> InvalidLifecyclePolicy {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    InvalidLifecyclePolicy(format!(
        "instance type ({found}) does not match any allowed primitive type (allowed: [\"{allowed}\"])"
    ))
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    words.sort();
    words.join(", ")
}
