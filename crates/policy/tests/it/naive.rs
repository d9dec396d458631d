//! A second evaluator, from the JSON itself and with no thought for speed: what the first must agree with.

use serde_json::Value;

use crate::world::*;

/// A request and the policies that bear on it. A set of policies is a list of lists of statements.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) who: Who,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) context: Vec<(String, String)>,
    pub(crate) identity: Option<Vec<Vec<Value>>>,
    pub(crate) boundary: Option<Vec<Vec<Value>>>,
    pub(crate) session: Option<Vec<Vec<Value>>>,
    pub(crate) resource: Vec<Vec<Value>>,
    /// Whether `resource` is a trust policy.
    pub(crate) trust: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Explicit,
    Implicit,
}

/// The three ways in which a policy can name somebody, each with the names that do.
struct Names {
    account: Vec<String>,
    entity: Vec<String>,
    itself: Vec<String>,
}

fn names(who: &Who) -> Names {
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let root = |account: &str| strings(&[account, &root_arn(account)]);
    match who {
        Who::Anonymous => Names {
            account: vec![],
            entity: vec![],
            itself: vec![],
        },
        Who::Root(account) => Names {
            account: vec![],
            entity: vec![],
            itself: root(account),
        },
        Who::User(account, name) => Names {
            account: root(account),
            entity: vec![],
            itself: vec![user_arn(account, name), id("AIDA", account, name)],
        },
        Who::Role(account, name, session) => Names {
            account: root(account),
            entity: vec![role_arn(account, name), id("AROA", account, name)],
            itself: vec![session_arn(account, name, session)],
        },
        Who::Federated(account, name, session) => Names {
            account: root(account),
            entity: vec![user_arn(account, name), id("AIDA", account, name)],
            itself: vec![federated_arn(account, session)],
        },
        Who::Web(name) | Who::Service(name) => Names {
            account: vec![],
            entity: vec![],
            itself: strings(&[name]),
        },
    }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        single => vec![single],
    }
}

fn strings(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    list(value).into_iter().map(text).collect()
}

/// The names in a `Principal` or `NotPrincipal` element, whatever they are names of.
fn named(element: &Value) -> Vec<String> {
    match element {
        Value::Object(members) => members.values().flat_map(strings).collect(),
        everybody => strings(everybody),
    }
}

impl Case {
    pub(crate) fn decide(&self) -> Verdict {
        let (account, is_person) = match self.who {
            Who::User(account, _) | Who::Role(account, _, _) | Who::Federated(account, _, _) => {
                (Some(account), true)
            }
            Who::Root(account) => (Some(account), false),
            Who::Anonymous | Who::Web(_) | Who::Service(_) => (None, false),
        };
        if is_person {
            for set in [&self.identity, &self.boundary, &self.session] {
                if self.says(set.as_ref(), "Deny") {
                    return Verdict::Explicit;
                }
            }
        }
        if self.resource_says("Deny") > 0 {
            return Verdict::Explicit;
        }
        let granted = self.resource_says("Allow");
        let identity = self.says(self.identity.as_ref(), "Allow");
        let boundary = self.boundary.is_none() || self.says(self.boundary.as_ref(), "Allow");
        let is_federated = matches!(self.who, Who::Federated(..));
        let session = match self.session {
            None => !is_federated,
            Some(_) => self.says(self.session.as_ref(), "Allow"),
        };
        let limits = boundary && session;
        let allowed = if !is_person {
            let own_root = account == Some(HERE);
            granted > 0 || own_root && !self.trust
        } else if account != Some(HERE) {
            identity && limits && granted > 0
        } else if granted == 3 {
            true
        } else if granted == 2 {
            limits
        } else if granted == 1 {
            identity && limits
        } else {
            identity && limits && !self.trust
        };
        if allowed {
            Verdict::Allowed
        } else {
            Verdict::Implicit
        }
    }

    fn says(&self, set: Option<&Vec<Vec<Value>>>, effect: &str) -> bool {
        let mut statements = set.into_iter().flatten().flatten();
        statements.any(|statement| statement["Effect"] == effect && self.applies(statement))
    }

    /// How directly resource policies speak of the caller: 3 itself, 2 its role or user, 1 its account, 0 not at all.
    fn resource_says(&self, effect: &str) -> u8 {
        let statements = self.resource.iter().flatten();
        let mut most = 0;
        for statement in statements {
            if statement["Effect"] == effect && self.applies(statement) {
                most = most.max(self.directness(statement));
            }
        }
        most
    }

    fn directness(&self, statement: &Value) -> u8 {
        let names = names(&self.who);
        let has =
            |named: &[String], wanted: &[String]| wanted.iter().any(|name| named.contains(name));
        if let Some(element) = statement.get("NotPrincipal") {
            let named = named(element);
            let each_form = [&names.account, &names.itself]
                .into_iter()
                .all(|form| form.is_empty() || has(&named, form));
            let role = !matches!(self.who, Who::Role(..)) || has(&named, &names.entity);
            let anonymous = matches!(self.who, Who::Anonymous);
            let bounded = self.boundary.is_some()
                && matches!(self.who, Who::User(..) | Who::Role(..) | Who::Federated(..));
            let excepted = named.contains(&"*".to_owned()) || each_form && role && !anonymous;
            return if excepted && !bounded { 0 } else { 3 };
        }
        let named = named(&statement["Principal"]);
        let for_all = named.contains(&"*".to_owned())
            && !(matches!(self.who, Who::Web(_)) && statement["Effect"] == "Allow");
        if for_all || has(&named, &names.itself) {
            3
        } else if has(&named, &names.entity) {
            2
        } else {
            u8::from(has(&named, &names.account))
        }
    }

    fn applies(&self, statement: &Value) -> bool {
        let action = self.action.to_lowercase();
        let is_action = |pattern: String| like(&plain(&pattern.to_lowercase()), &action);
        let is_resource = |pattern: String| {
            self.tokens(&pattern, true)
                .is_some_and(|tokens| like(&tokens, &self.object))
        };
        let element = |name: &str, matches: &dyn Fn(String) -> bool| {
            let any = |value: &Value| strings(value).into_iter().any(matches);
            match (statement.get(name), statement.get(format!("Not{name}"))) {
                (Some(value), _) => any(value),
                (None, Some(value)) => !any(value),
                (None, None) => true,
            }
        };
        element("Action", &is_action)
            && element("Resource", &is_resource)
            && self.conditions(&statement["Condition"], statement["Effect"] == "Deny")
    }

    fn conditions(&self, conditions: &Value, denies: bool) -> bool {
        let Value::Object(operators) = conditions else {
            return true;
        };
        operators.iter().all(|(operator, keys)| {
            keys.as_object()
                .unwrap()
                .iter()
                .all(|(key, wanted)| self.condition(operator, key, &strings(wanted), denies))
        })
    }

    fn condition(&self, operator: &str, key: &str, wanted: &[String], denies: bool) -> bool {
        let values: Vec<&str> = self
            .context
            .iter()
            .filter(|(other, _)| other.to_lowercase() == key.to_lowercase())
            .map(|(_, value)| value.as_str())
            .collect();
        let nothing = values.iter().all(|value| value.is_empty());
        if operator == "Null" {
            return wanted.contains(&nothing.to_string());
        }
        let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let positive = operator.replace("Not", "");
        let negated = positive != operator;
        if values.is_empty() || !set.is_empty() && nothing {
            return if_exists || set == "ForAllValues" || set.is_empty() && negated;
        }
        let matches = |value: &&str| {
            wanted
                .iter()
                .any(|wanted| self.compare(&positive, value, wanted))
        };
        match (set, negated) {
            ("ForAllValues", false) => values.iter().all(matches),
            ("ForAllValues", true) => !values.iter().any(matches),
            ("ForAnyValue", false) => values.iter().any(matches),
            ("ForAnyValue", true) => !values.iter().all(matches),
            // What should have one value and has several is taken the stricter way.
            (_, false) if denies => values.iter().any(matches),
            (_, false) => values.iter().all(matches),
            (_, true) if denies => !values.iter().all(matches),
            (_, true) => !values.iter().any(matches),
        }
    }

    fn compare(&self, operator: &str, value: &str, wanted: &str) -> bool {
        let resolved = |with_wildcards| self.tokens(wanted, with_wildcards);
        if let Some(relation) = operator.strip_prefix("Numeric") {
            return ordered(relation, value.parse::<f64>().ok(), wanted.parse().ok());
        }
        if let Some(relation) = operator.strip_prefix("Date") {
            return ordered(relation, seconds(value), seconds(wanted));
        }
        match operator {
            "StringEquals" => resolved(false).is_some_and(|tokens| like(&tokens, value)),
            "StringEqualsIgnoreCase" => resolved(false).is_some_and(|tokens| {
                let lower = tokens.iter().map(|token| match token {
                    Token::Char(char) => Token::Char(char.to_ascii_lowercase()),
                    other => *other,
                });
                like(&lower.collect::<Vec<_>>(), &value.to_ascii_lowercase())
            }),
            "StringLike" => resolved(true).is_some_and(|tokens| like(&tokens, value)),
            "ArnEquals" | "ArnLike" => {
                resolved(true).is_some_and(|tokens| like_arn(&tokens, value))
            }
            "Bool" | "BinaryEquals" => value == wanted,
            "IpAddress" => {
                let (network, n_bits) = wanted.split_once('/').unwrap_or((wanted, "32"));
                let n_bits: usize = n_bits.parse().unwrap();
                match (bits(value), bits(network)) {
                    (Some(value), Some(network)) => value[..n_bits] == network[..n_bits],
                    _ => false,
                }
            }
            other => panic!("unknown operator {other}"),
        }
    }

    /// A value of a policy with its variables replaced; none when one has neither value nor default.
    fn tokens(&self, text: &str, with_wildcards: bool) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            if let Some(variable) = rest.strip_prefix("${") {
                let (inside, after) = variable.split_once('}').unwrap();
                let value = match inside {
                    "*" | "?" | "$" => inside.to_owned(),
                    _ => self.variable(inside)?,
                };
                tokens.extend(value.chars().map(Token::Char));
                rest = after;
                continue;
            }
            tokens.push(match char {
                '*' if with_wildcards => Token::Many,
                '?' if with_wildcards => Token::One,
                char => Token::Char(char),
            });
            rest = &rest[char.len_utf8()..];
        }
        Some(tokens)
    }

    fn variable(&self, inside: &str) -> Option<String> {
        let (key, default) = match inside.split_once(", ") {
            Some((key, default)) => (key, Some(default.trim_matches('\'').to_owned())),
            None => (inside, None),
        };
        let mut found = Vec::new();
        for (other, value) in &self.context {
            if other.to_lowercase() == key.to_lowercase() {
                found.push(value.clone());
            }
        }
        match &found[..] {
            [] => default,
            [single] => Some(single.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    Many,
    One,
}

fn plain(pattern: &str) -> Vec<Token> {
    let token = |char| match char {
        '*' => Token::Many,
        '?' => Token::One,
        char => Token::Char(char),
    };
    pattern.chars().map(token).collect()
}

fn like(pattern: &[Token], text: &str) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let mut chars = text.chars();
    let next = chars.next();
    match (first, next) {
        (Token::Many, None) => like(rest, text),
        (Token::Many, Some(_)) => like(rest, text) || like(pattern, chars.as_str()),
        (Token::One, Some(_)) => like(rest, chars.as_str()),
        (Token::Char(wanted), Some(char)) => *wanted == char && like(rest, chars.as_str()),
        (Token::One | Token::Char(_), None) => false,
    }
}

fn like_arn(pattern: &[Token], arn: &str) -> bool {
    let values: Vec<&str> = arn.splitn(6, ':').collect();
    if values.len() < 6 || values[0] != "arn" {
        return false;
    }
    if pattern == [Token::Many] {
        return true;
    }
    let parts: Vec<&[Token]> = pattern
        .splitn(6, |token| *token == Token::Char(':'))
        .collect();
    parts.len() == 6
        && parts
            .iter()
            .zip(values)
            .all(|(part, value)| like(part, value))
}

fn ordered(relation: &str, value: Option<f64>, wanted: Option<f64>) -> bool {
    let (Some(value), Some(wanted)) = (value, wanted) else {
        return false;
    };
    match relation {
        "Equals" => (value - wanted).abs() < 1e-9,
        "LessThan" => value < wanted,
        "LessThanEquals" => value <= wanted,
        "GreaterThan" => value > wanted,
        "GreaterThanEquals" => value >= wanted,
        other => panic!("unknown relation {other}"),
    }
}

/// The dates that the generated worlds speak of, as seconds since 1970.
fn seconds(date: &str) -> Option<f64> {
    match date {
        "2020-01-01" | "1577836800" | "2020-01-01T00:00Z" | "2019-12-31T23:00:00-01:00" => {
            Some(1_577_836_800.0)
        }
        "2020-01-01T00:00:01Z" => Some(1_577_836_801.0),
        "2020-01-01T00:00:00.5Z" => Some(1_577_836_800.5),
        "1999-12-31" => Some(946_598_400.0),
        _ => None,
    }
}

/// The 32 bits of an IPv4 address, as digits.
fn bits(address: &str) -> Option<String> {
    let parts: Option<Vec<u8>> = address.split('.').map(|part| part.parse().ok()).collect();
    let parts = parts.filter(|parts| parts.len() == 4)?;
    let bits: Vec<String> = parts.iter().map(|part| format!("{part:08b}")).collect();
    Some(bits.concat())
}
