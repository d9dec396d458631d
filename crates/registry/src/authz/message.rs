//! Why a call was denied, for whoever may decode it: as AWS, what a decision was made from is told to nobody who is not
//! allowed `sts:DecodeAuthorizationMessage`, so that it travels sealed.

use longshore_policy::{Decision, Request};
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cx::Cx,
    error::Result,
    principal::Known,
    token::{Purpose, Tokens},
};

/// How much of the context a message tells, in bytes: it goes out in a header, and proxies bound those.
const MAX_CONTEXT: usize = 1536;

/// A decision, and whose caller it was about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(rename = "a")]
    pub(crate) account: AccountId,
    /// JSON.
    #[serde(rename = "d")]
    pub(crate) document: String,
}

impl Message {
    /// Opens a message; `None` when it is none of ours.
    pub(crate) fn open(tokens: &Tokens, text: &str) -> Option<Self> {
        tokens.open(Purpose::AuthorizationMessage, text)
    }
}

/// Seals the decision about `request`.
pub(super) fn seal(
    cx: &Cx<'_>,
    known: &Known,
    request: &Request<'_>,
    decision: &Decision<'_>,
) -> Option<String> {
    let message = Message {
        account: known.account,
        document: document(known, request, decision).to_string(),
    };
    let sealed: Result<String> = cx.core.tokens.seal(Purpose::AuthorizationMessage, &message);
    sealed.ok()
}

/// The document as AWS has it, with the policy of a statement beside.
fn document(known: &Known, request: &Request<'_>, decision: &Decision<'_>) -> Value {
    let principal = known.user_id();
    let matched = match decision {
        Decision::ExplicitDeny { by } => json!([{
            "statementId": by.sid.unwrap_or_default(),
            "effect": "DENY",
            "principals": { "items": [{ "value": principal }] },
            "policy": { "type": by.side.as_str(), "name": by.policy, "statement": by.index },
        }]),
        Decision::ImplicitDeny { .. } | Decision::Allowed { .. } => json!([]),
    };
    json!({
        "allowed": decision.is_allowed(),
        "explicitDeny": matches!(decision, Decision::ExplicitDeny { .. }),
        "matchedStatements": { "items": matched },
        "failures": { "items": [] },
        "context": {
            "principal": { "id": principal, "arn": known.arn.to_string() },
            "action": request.action,
            "resource": request.resource,
            "conditions": { "items": conditions(request) },
        },
    })
}

/// The context, as far as there is room.
fn conditions(request: &Request<'_>) -> Vec<Value> {
    let mut items: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut room = MAX_CONTEXT;
    for (key, value) in request.context.iter() {
        // As JSON writes a key of its own.
        let Some(left) = room.checked_sub(key.len() + value.len() + 50) else {
            break;
        };
        room = left;
        let value = json!({ "value": value });
        match items.iter_mut().find(|(other, _)| *other == key) {
            Some((_, values)) => values.push(value),
            None => items.push((key, vec![value])),
        }
    }
    let item = |(key, values)| json!({ "key": key, "values": { "items": values } });
    items.into_iter().map(item).collect()
}
