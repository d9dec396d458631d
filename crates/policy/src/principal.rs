//! `Principal` and `NotPrincipal`: whom a statement of a resource's policy is about.

use std::collections::BTreeMap;

use longshore_types::account::AccountId;
use longshore_types::arn::{PrincipalArn, PrincipalKind};

use crate::element::texts;
use crate::error::{InvalidPolicy, shown};
use crate::json::Json;
use crate::request::Principal;
use crate::statement::Effect;

/// The principals of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Principals {
    negated: bool,
    named: Box<[Named]>,
}

/// One principal as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// `*`: everybody, nobody in particular included.
    Everybody,
    /// An account, by number or as the ARN of its root: it hands on to its own policies.
    Account(AccountId),
    /// A user or role by ARN, known by the id it had when the policy was saved.
    Entity { arn: Box<str>, id: Option<Box<str>> },
    /// A session of a role by ARN; `id` is the role's when the policy was saved.
    Session {
        arn: Box<str>,
        name: Box<str>,
        id: Option<Box<str>>,
    },
    /// A session that a user made under a name.
    Federated { account: AccountId, name: Box<str> },
    /// A user or role by id.
    Id(Box<str>),
    /// An identity provider.
    Provider(Box<str>),
    /// A service.
    Service(Box<str>),
}

/// How directly a statement names whoever asks. The order is that of what it grants in the same account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    /// By account: grants what the account's own policies grant.
    Account,
    /// As the role or user that the session stands for: grants within its boundary and session policies.
    Entity,
    /// Itself, or as one of everybody: grants whatever boundary and session policies do not deny.
    Direct,
}

impl Principals {
    /// Reads the element. `trust` says whether identity providers may be named.
    pub(crate) fn parse(json: &Json, negated: bool, trust: bool) -> Result<Self, InvalidPolicy> {
        let mut named = Vec::new();
        match json {
            Json::Text(text) if text == "*" => named.push(Named::Everybody),
            Json::Object(members) => {
                for (kind, names) in members {
                    for name in texts(names)? {
                        named.push(Named::parse(kind, name, trust)?);
                    }
                }
            }
            _ => return Err(InvalidPolicy::Syntax),
        }
        if named.is_empty() {
            return Err(InvalidPolicy::NoPrincipal);
        }
        Ok(Self {
            negated,
            named: named.into(),
        })
    }

    /// Whether, and how directly, a statement of `effect` is about `principal`.
    ///
    /// `NotPrincipal` excepts only whom it names in every form (account, role or user, session), and nobody who has
    /// a permissions boundary, as IAM does.
    pub(crate) fn naming(
        &self,
        principal: &Principal<'_>,
        effect: Effect,
        bounded: bool,
    ) -> Option<Naming> {
        if self.negated {
            let excepted = !bounded && self.except(principal);
            return (!excepted).then_some(Naming::Direct);
        }
        let namings = self
            .named
            .iter()
            .filter_map(|named| match (named, principal) {
                // A role that trusts everybody trusts accounts' principals, not whatever some provider vouches for.
                (Named::Everybody, Principal::WebIdentity { .. }) if effect == Effect::Allow => {
                    None
                }
                _ => named.naming(principal),
            });
        namings.max()
    }

    fn except(&self, principal: &Principal<'_>) -> bool {
        let names = |wanted: Naming| {
            let mut namings = self
                .named
                .iter()
                .filter_map(|named| named.naming(principal));
            namings.any(|naming| naming == wanted)
        };
        let everybody = self.named.contains(&Named::Everybody);
        everybody
            || match principal {
                Principal::Anonymous => false,
                Principal::Root { .. }
                | Principal::Service { .. }
                | Principal::WebIdentity { .. } => names(Naming::Direct),
                Principal::User { .. } | Principal::FederatedUser { .. } => {
                    names(Naming::Account) && names(Naming::Direct)
                }
                Principal::AssumedRole { .. } => {
                    names(Naming::Account) && names(Naming::Entity) && names(Naming::Direct)
                }
            }
    }

    /// The ARNs that stand for something which has an id: users, roles, and sessions of roles.
    pub(crate) fn arns(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter_map(|named| match named {
            Named::Entity { arn, .. } | Named::Session { arn, .. } => Some(&**arn),
            _ => None,
        })
    }

    /// The ids of users and roles that are named by id.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter_map(|named| match named {
            Named::Id(id) => Some(&**id),
            _ => None,
        })
    }

    /// The accounts that are named, for themselves or for a federated user.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.named.iter().filter_map(|named| match named {
            Named::Account(account) | Named::Federated { account, .. } => Some(*account),
            _ => None,
        })
    }

    /// Gives the ARNs their ids.
    pub(crate) fn bind(&mut self, ids: &BTreeMap<String, String>) {
        for named in &mut self.named {
            if let Named::Entity { arn, id } | Named::Session { arn, id, .. } = named {
                *id = ids.get(&**arn).map(|id| id.as_str().into());
            }
        }
    }
}

impl Named {
    fn parse(kind: &str, name: &str, trust: bool) -> Result<Self, InvalidPolicy> {
        let invalid = || InvalidPolicy::InvalidPrincipal(shown(&format!("\"{kind}\":\"{name}\"")));
        match kind {
            "AWS" => Self::parse_aws(name).ok_or_else(invalid),
            "Service" if is_service(name) => Ok(Self::Service(name.into())),
            "Federated" if trust && is_provider(name) => Ok(Self::Provider(name.into())),
            _ => Err(invalid()),
        }
    }

    fn parse_aws(name: &str) -> Option<Self> {
        if name == "*" {
            return Some(Self::Everybody);
        }
        if let Ok(account) = name.parse() {
            return Some(Self::Account(account));
        }
        if is_unique_id(name) {
            return Some(Self::Id(name.into()));
        }
        let arn = PrincipalArn::parse(name).ok()?;
        if arn.as_arn().partition() != "aws" {
            return None;
        }
        Some(match arn.kind() {
            PrincipalKind::Root => Self::Account(arn.account()),
            PrincipalKind::User | PrincipalKind::Role => Self::Entity {
                arn: name.into(),
                id: None,
            },
            PrincipalKind::AssumedRole => Self::Session {
                arn: name.into(),
                name: arn.name().into(),
                id: None,
            },
            PrincipalKind::FederatedUser => Self::Federated {
                account: arn.account(),
                name: arn.name().into(),
            },
        })
    }

    fn naming(&self, principal: &Principal<'_>) -> Option<Naming> {
        let own_id = match self {
            Self::Everybody => return Some(Naming::Direct),
            Self::Account(account) => {
                let own = principal.account().as_ref() == Some(account);
                let naming = match principal {
                    Principal::Root { .. } => Naming::Direct,
                    _ => Naming::Account,
                };
                return own.then_some(naming);
            }
            Self::Id(id) | Self::Entity { id: Some(id), .. } => &**id,
            Self::Entity { id: None, .. } => return None,
            Self::Session { name, id, .. } => {
                let id = id.as_deref()?;
                let own = matches!(principal, Principal::AssumedRole { id: role, session, .. } if *role == id && **session == **name);
                return own.then_some(Naming::Direct);
            }
            Self::Federated { account, name } => {
                let own = matches!(principal, Principal::FederatedUser { account: of, session, .. } if of == account && **session == **name);
                return own.then_some(Naming::Direct);
            }
            Self::Provider(named) => {
                let own = matches!(principal, Principal::WebIdentity { provider } if **provider == **named);
                return own.then_some(Naming::Direct);
            }
            Self::Service(named) => {
                let own = matches!(principal, Principal::Service { name } if name.eq_ignore_ascii_case(named));
                return own.then_some(Naming::Direct);
            }
        };
        match principal {
            Principal::User { id, .. } if *id == own_id => Some(Naming::Direct),
            Principal::AssumedRole { id, .. } | Principal::FederatedUser { id, .. }
                if *id == own_id =>
            {
                Some(Naming::Entity)
            }
            _ => None,
        }
    }
}

/// Whether `name` is an id that IAM gives users (`AIDA…`) and roles (`AROA…`).
fn is_unique_id(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (name.starts_with("AIDA") || name.starts_with("AROA"))
        && (16..=128).contains(&name.len())
        && name.bytes().all(is_part)
}

/// Whether `name` can be a service: labels divided by dots, `*` excluded.
fn is_service(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name.len() <= 255
        && name.contains('.')
        && name
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(is_part))
}

/// Whether `name` can be an identity provider: the ARN of one, or the name of one that needs none.
fn is_provider(name: &str) -> bool {
    let arn = name.parse::<longshore_types::arn::Arn>();
    match arn {
        Ok(arn) => {
            let kind = arn.resource().split_once('/').map(|(kind, _)| kind);
            arn.service() == "iam"
                && arn.account_id().is_some()
                && matches!(kind, Some("oidc-provider" | "saml-provider"))
                && !arn.resource().contains(['*', '?'])
        }
        Err(_) => matches!(
            name,
            "accounts.google.com"
                | "cognito-identity.amazonaws.com"
                | "graph.facebook.com"
                | "www.amazon.com"
        ),
    }
}
