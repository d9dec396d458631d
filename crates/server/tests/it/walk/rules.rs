//! AWS's evaluation of policies (`behaviour.md` sections 13.1 and 13.3, IAM User Guide "Policy evaluation logic"), written
//! down apart from the product's.

use super::people::{LOGIN, PULL_ONLY, Person, Rights};

/// One action, on what.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) action: String,
    /// As a denial names it.
    pub(super) resource: String,
    /// The account that owns it; whoever calls, if it is nobody else's.
    pub(super) owner: Option<String>,
    /// Whether a repository's policy decides about it, too.
    pub(super) is_in_repository: bool,
    /// An action that is as good.
    pub(super) or: Option<&'static str>,
}

/// The policy of the repository that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// There is none.
    Closed,
    /// It allows everything to the account of the stranger.
    ToStrangers,
    /// It allows pulls to everybody.
    ToAll,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody is asked to log in.
    LogIn,
    /// Somebody is told whose policy it is.
    Denied {
        caller: String,
        action: String,
        resource: String,
        clause: String,
    },
}

/// What all of `needs` come to: the first that is refused decides.
pub(super) fn decide(
    person: Option<&Person>,
    needs: &[Need],
    opened: Opened,
) -> Result<(), Refusal> {
    for need in needs {
        let decided = one(person, need, &need.action, opened);
        let alternative = need.or.map(|action| one(person, need, action, opened));
        if alternative != Some(Ok(())) {
            decided?;
        }
    }
    Ok(())
}

fn one(person: Option<&Person>, need: &Need, action: &str, opened: Opened) -> Result<(), Refusal> {
    let by_resource = need.is_in_repository && opened.allows(person, action);
    let Some(person) = person else {
        return if by_resource {
            Ok(())
        } else {
            Err(Refusal::LogIn)
        };
    };
    let denied = |clause: String| Refusal::Denied {
        caller: person.arn.clone(),
        action: action.to_owned(),
        resource: need.resource.clone(),
        // STS tells nobody whether there is a role that they may not assume.
        clause: Some(clause)
            .filter(|_| action != "sts:AssumeRole")
            .unwrap_or_default(),
    };
    // No policy is asked (API reference of STS, "GetCallerIdentity"; IAM User Guide, "Permissions for GetSessionToken").
    if matches!(action, "sts:GetCallerIdentity" | "sts:GetSessionToken") {
        return Ok(());
    }
    if person.is_denied && action != LOGIN {
        return Err(denied(
            "with an explicit deny in a session policy".to_owned(),
        ));
    }
    let none = |policies: &str| {
        denied(format!(
            "because no {policies} policy allows the {action} action"
        ))
    };
    let by_identity = person.identity.allow(action);
    let is_ours = need
        .owner
        .as_ref()
        .is_none_or(|owner| *owner == person.account);
    match (is_ours, by_identity, by_resource) {
        (true, false, false) | (false, false, true) => return Err(none("identity-based")),
        (false, _, false) => return Err(none("resource-based")),
        (true, _, _) | (false, true, true) => {}
    }
    if !person.boundary.allow(action) {
        let clause = format!("because no permissions boundary allows the {action} action");
        return Err(denied(clause));
    }
    if !person.session.allow(action) {
        return Err(none("session"));
    }
    Ok(())
}

impl Opened {
    fn allows(self, person: Option<&Person>, action: &str) -> bool {
        // A password is for identity policies to give.
        let rights = match self {
            Self::ToStrangers if person.is_some_and(|person| person.name == "stranger") => {
                Rights::Everything
            }
            Self::Closed | Self::ToStrangers => Rights::Nothing,
            Self::ToAll => PULL_ONLY,
        };
        action != LOGIN && rights.allow(action)
    }

    /// Its text, if there is one.
    pub(super) fn policy(self, strangers: &str) -> Option<String> {
        let (principal, actions) = match self {
            Self::Closed => return None,
            Self::ToStrangers => (
                strangers,
                serde_json::json!(["ecr:*", "ecr-public:*", "longshore:*"]),
            ),
            Self::ToAll => (
                "*",
                serde_json::json!(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
            ),
        };
        let statement = serde_json::json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": actions });
        Some(serde_json::json!({ "Version": "2012-10-17", "Statement": statement }).to_string())
    }
}
