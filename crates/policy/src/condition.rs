//! `Condition`: operators, their sets and what an absent key means.

use crate::condition::operand::{Operands, Test};
use crate::context::Context;
use crate::error::{InvalidPolicy, shown};
use crate::json::Json;
use crate::statement::Effect;
use crate::template::is_key;

mod address;
mod arn;
mod date;
mod number;
mod operand;
mod text;

/// One key under one operator. A statement's conditions must all hold.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: Box<str>,
    set: Set,
    if_exists: bool,
    test: Test,
}

/// How the values of the request are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// No prefix: the key should have one value. With several, all must hold to allow and one to deny.
    Single,
    /// `ForAllValues:`, which holds when there are none.
    All,
    /// `ForAnyValue:`, which does not hold when there are none.
    Any,
}

impl Condition {
    /// Reads the `Condition` element of a statement.
    pub(crate) fn parse_all(json: &Json, with_variables: bool) -> Result<Vec<Self>, InvalidPolicy> {
        let Json::Object(operators) = json else {
            return Err(InvalidPolicy::Syntax);
        };
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else {
                return Err(InvalidPolicy::Syntax);
            };
            for (key, values) in keys {
                conditions.push(Self::parse(operator, key, values, with_variables)?);
            }
        }
        Ok(conditions)
    }

    fn parse(
        operator: &str,
        key: &str,
        values: &Json,
        with_variables: bool,
    ) -> Result<Self, InvalidPolicy> {
        if !is_key(key) {
            return Err(InvalidPolicy::NoVendor);
        }
        let unknown = || InvalidPolicy::Operator(shown(operator));
        let (set, name) = match operator.split_once(':') {
            None => (Set::Single, operator),
            Some(("ForAllValues", name)) => (Set::All, name),
            Some(("ForAnyValue", name)) => (Set::Any, name),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let values = texts(values)?;
        let test = Test::parse(name, &values, with_variables)?.ok_or_else(unknown)?;
        // Whether a key is there is no question about its values.
        if matches!(test.operands, Operands::Null(_)) && (if_exists || set != Set::Single) {
            return Err(unknown());
        }
        Ok(Self {
            key: key.into(),
            set,
            if_exists,
            test,
        })
    }

    /// Whether it holds in a request of `context`, for a statement of `effect`.
    ///
    /// A negated operator holds when the key is absent. Under `ForAllValues`, `ForAnyValue` and `Null` a key with
    /// nothing but empty values counts as absent.
    pub(crate) fn holds(&self, context: &Context<'_>, effect: Effect) -> bool {
        let mut values = context.values(&self.key);
        let is_null = !values.clone().any(|value| !value.is_empty());
        let absent = match self.set {
            Set::Single => values.clone().next().is_none(),
            Set::All | Set::Any => is_null,
        };
        let Test { negated, operands } = &self.test;
        if let Operands::Null(wanted) = operands {
            return wanted.contains(&is_null);
        }
        if absent {
            return self.if_exists
                || match self.set {
                    Set::Single => *negated,
                    Set::All => true,
                    Set::Any => false,
                };
        }
        let mut holds = |value: &str| operands.matches(value, context) != *negated;
        match (self.set, effect) {
            (Set::All, _) | (Set::Single, Effect::Allow) => values.all(&mut holds),
            (Set::Any, _) | (Set::Single, Effect::Deny) => values.any(&mut holds),
        }
    }

    /// The context keys that it reads, those of variables included.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.key).chain(self.test.operands.keys())
    }
}

/// The values under a key: one or several texts, numbers and truth values alike.
fn texts(values: &Json) -> Result<Vec<String>, InvalidPolicy> {
    let text = |value: &Json| match value {
        Json::Text(text) | Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(InvalidPolicy::Syntax),
    };
    values.as_list().iter().map(text).collect()
}
