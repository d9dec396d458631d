//! Accounts, principals and policies that the tests speak of.

use std::collections::BTreeMap;

use longshore_policy::{
    Context, Decision, InvalidPolicy, Kind, Policies, Policy, PolicySet, Principal, Request,
    ResourcePolicies, evaluate,
};
use serde_json::{Value, json};

/// The account that owns the resources.
pub(crate) const HERE: &str = "111122223333";
/// Another account.
pub(crate) const THERE: &str = "444455556666";
/// The repository that requests are about unless they say another.
pub(crate) const REPOSITORY: &str = "arn:aws:ecr:eu-central-1:111122223333:repository/team/app";

/// Makes a document of the current version with these statements.
pub(crate) fn document(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// Parses a document with these statements.
pub(crate) fn parse(kind: Kind, statements: &Value) -> Result<Policy, InvalidPolicy> {
    Policy::parse(&document(statements), kind)
}

/// Parses a document with these statements and gives the principals of this file their ids.
pub(crate) fn policy(kind: Kind, statements: &Value) -> Policy {
    parse(kind, statements).unwrap().bind(&ids())
}

/// A set of one policy with these statements.
pub(crate) fn set(statements: &Value) -> PolicySet {
    PolicySet::new([("inline".into(), policy(Kind::Identity, statements).into())])
}

/// A statement that allows everything.
pub(crate) fn everything() -> Value {
    json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// What the ARNs of this file's principals stand for.
pub(crate) fn ids() -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for account in [HERE, THERE] {
        for name in ["alice", "bob"] {
            ids.insert(user_arn(account, name), id("AIDA", account, name));
            ids.insert(role_arn(account, name), id("AROA", account, name));
            for session in ["one", "two"] {
                ids.insert(
                    session_arn(account, name, session),
                    id("AROA", account, name),
                );
            }
        }
    }
    ids
}

pub(crate) fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

pub(crate) fn role_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

pub(crate) fn session_arn(account: &str, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

pub(crate) fn federated_arn(account: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:federated-user/{session}")
}

pub(crate) fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

pub(crate) fn id(prefix: &str, account: &str, name: &str) -> String {
    format!("{prefix}{account}{}", name.to_uppercase())
}

/// Somebody who asks, with the texts that a [`Principal`] borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anonymous,
    Root(&'static str),
    User(&'static str, &'static str),
    Role(&'static str, &'static str, &'static str),
    Federated(&'static str, &'static str, &'static str),
    Web(&'static str),
    Service(&'static str),
}

impl Who {
    /// Calls `ask` with the principal.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(Principal<'_>) -> T) -> T {
        match *self {
            Self::Anonymous => ask(Principal::Anonymous),
            Self::Root(account) => ask(Principal::Root {
                account: account.parse().unwrap(),
            }),
            Self::User(account, name) => ask(Principal::User {
                account: account.parse().unwrap(),
                id: &id("AIDA", account, name),
                arn: &user_arn(account, name),
            }),
            Self::Role(account, name, session) => ask(Principal::AssumedRole {
                account: account.parse().unwrap(),
                id: &id("AROA", account, name),
                arn: &role_arn(account, name),
                session,
            }),
            Self::Federated(account, name, session) => ask(Principal::FederatedUser {
                account: account.parse().unwrap(),
                id: &id("AIDA", account, name),
                arn: &user_arn(account, name),
                session,
            }),
            Self::Web(provider) => ask(Principal::WebIdentity { provider }),
            Self::Service(name) => ask(Principal::Service { name }),
        }
    }
}

/// Users, roles and sessions in both accounts.
pub(crate) const ALICE: Who = Who::User(HERE, "alice");
pub(crate) const BOB: Who = Who::User(HERE, "bob");
pub(crate) const STRANGER: Who = Who::User(THERE, "alice");
pub(crate) const SESSION: Who = Who::Role(HERE, "alice", "one");
pub(crate) const FEDERATED: Who = Who::Federated(HERE, "alice", "fed");

/// Everything that bears on a request, owned.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) identity: Option<PolicySet>,
    pub(crate) boundary: Option<PolicySet>,
    pub(crate) session: Option<PolicySet>,
    pub(crate) resource: Vec<Policy>,
    pub(crate) trust: Option<Policy>,
    pub(crate) context: Context<'static>,
    /// The action, `ecr:PutImage` when empty.
    pub(crate) action: String,
    /// The resource, [`REPOSITORY`] when empty.
    pub(crate) object: String,
    /// Whether all resources are meant that it begins.
    pub(crate) below: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn identity(mut self, statements: &Value) -> Self {
        self.identity = Some(set(statements));
        self
    }

    pub(crate) fn boundary(mut self, statements: &Value) -> Self {
        self.boundary = Some(set(statements));
        self
    }

    pub(crate) fn session(mut self, statements: &Value) -> Self {
        self.session = Some(set(statements));
        self
    }

    pub(crate) fn repository(mut self, statements: &Value) -> Self {
        self.resource.push(policy(Kind::Repository, statements));
        self
    }

    pub(crate) fn registry(mut self, statements: &Value) -> Self {
        self.resource.push(policy(Kind::Registry, statements));
        self
    }

    pub(crate) fn trust(mut self, statements: &Value) -> Self {
        self.trust = Some(policy(Kind::Trust, statements));
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.context.add(key, value);
        self
    }

    pub(crate) fn action(mut self, action: &str) -> Self {
        action.clone_into(&mut self.action);
        self
    }

    pub(crate) fn object(mut self, object: &str) -> Self {
        object.clone_into(&mut self.object);
        self
    }

    /// Asks about all repositories whose names begin with `team/`.
    pub(crate) fn below(self) -> Self {
        Self {
            below: true,
            ..self.object("arn:aws:ecr:eu-central-1:111122223333:repository/team/*")
        }
    }

    /// Calls `ask` with the request of `who` and the policies.
    pub(crate) fn ask<T>(
        &self,
        who: &Who,
        ask: impl FnOnce(&Request<'_>, &Policies<'_>) -> T,
    ) -> T {
        let resource: Vec<&Policy> = self.resource.iter().collect();
        let policies = Policies {
            identity: self.identity.as_ref(),
            boundary: self.boundary.as_ref(),
            session: self.session.as_ref(),
            resource: match &self.trust {
                Some(trust) => ResourcePolicies::Trust(trust),
                None => ResourcePolicies::Any(&resource),
            },
        };
        let action = or(&self.action, "ecr:PutImage");
        let object = or(&self.object, REPOSITORY);
        who.with(|principal| {
            ask(
                &Request {
                    principal,
                    action,
                    resource: object,
                    below: self.below,
                    resource_account: Some(HERE.parse().unwrap()),
                    context: &self.context,
                },
                &policies,
            )
        })
    }

    /// What is decided: `allowed`, or the clause that a denial ends with.
    pub(crate) fn decide(&self, who: &Who) -> String {
        self.ask(who, |request, policies| {
            let decision = evaluate(request, policies);
            match decision.reason() {
                None => "allowed".to_owned(),
                Some(reason) => reason.clause(request.action),
            }
        })
    }

    pub(crate) fn allows(&self, who: &Who) -> bool {
        self.ask(who, |request, policies| {
            matches!(evaluate(request, policies), Decision::Allowed { .. })
        })
    }
}

fn or<'t>(text: &'t str, other: &'t str) -> &'t str {
    if text.is_empty() { other } else { text }
}
