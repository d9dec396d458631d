//! A policy document: parsed, validated and compiled.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use longshore_types::account::AccountId;

use crate::error::InvalidPolicy;
use crate::json::Json;
use crate::principal::Principals;
use crate::statement::Statement;

/// What a policy is attached to, which decides what it must and must not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// To users, groups and roles, as permissions or as their boundary.
    Identity,
    /// To a session, when it is made.
    Session,
    /// To a role: who may assume it.
    Trust,
    /// To a repository.
    Repository,
    /// To a registry.
    Registry,
}

impl Kind {
    /// The most characters of a document, by the service models: IAM's and STS's, ECR's.
    ///
    /// IAM's quotas are narrower and leave white space out ([`Policy::size`]); exceeding them is another error.
    pub const fn max_len(self) -> usize {
        match self {
            Self::Identity | Self::Trust => 131_072,
            Self::Session => 2048,
            Self::Repository | Self::Registry => 10_240,
        }
    }

    /// Returns the kind as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Session => "session",
            Self::Trust => "trust",
            Self::Repository => "repository",
            Self::Registry => "registry",
        }
    }

    /// Fails unless a policy of this kind may be about a service; `None` is all of them.
    pub(crate) fn check_service(self, service: Option<&str>) -> Result<(), InvalidPolicy> {
        let fits = match self {
            Self::Identity | Self::Session => true,
            Self::Trust => service == Some("sts"),
            Self::Repository => matches!(service, None | Some("ecr" | "ecr-public" | "longshore")),
            Self::Registry => matches!(service, None | Some("ecr" | "longshore")),
        };
        match self {
            _ if fits => Ok(()),
            Self::Trust => Err(InvalidPolicy::NotAssumeRole),
            _ => Err(InvalidPolicy::NotEcr),
        }
    }
}

/// The version of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `2008-10-17`, also when a document says none: without policy variables.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// A policy that is ready to be evaluated.
///
/// Principals of users, roles and their sessions match nobody until [`Policy::bind`] has told their ids.
#[derive(Clone, Debug)]
pub struct Policy {
    kind: Kind,
    version: Version,
    size: usize,
    statements: Box<[Statement]>,
}

impl Policy {
    /// Reads and validates a document of a kind.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, InvalidPolicy> {
        if text.chars().count() > kind.max_len() {
            return Err(InvalidPolicy::TooLong(kind.max_len()));
        }
        let Json::Object(members) = Json::parse(text).map_err(|_| InvalidPolicy::Syntax)? else {
            return Err(InvalidPolicy::Syntax);
        };
        let (mut version, mut statements) = (Version::V2008, None);
        for (name, value) in &members {
            match (name.as_str(), value) {
                ("Version", Json::Text(text)) if text == "2012-10-17" => version = Version::V2012,
                ("Version", Json::Text(text)) if text == "2008-10-17" => {}
                ("Id", Json::Text(_)) => {}
                ("Statement", value) => statements = Some(value),
                _ => return Err(InvalidPolicy::Syntax),
            }
        }
        let statements = statements.ok_or(InvalidPolicy::Syntax)?.as_list();
        if statements.is_empty() {
            return Err(InvalidPolicy::Syntax);
        }
        let with_variables = version == Version::V2012;
        let parse = |json| Statement::parse(json, kind, with_variables);
        let statements: Box<[Statement]> =
            statements.iter().map(parse).collect::<Result<_, _>>()?;
        check_sids(&statements, kind)?;
        Ok(Self {
            kind,
            version,
            size: text.chars().filter(|char| !char.is_whitespace()).count(),
            statements,
        })
    }

    /// Returns what the policy is attached to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the version of the language. A new managed policy must be of [`Version::V2012`].
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the number of characters without white space, which IAM's quotas count.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The ARNs of users, roles and roles' sessions that it names as principals, each once.
    ///
    /// Whoever saves the policy finds the id of each (of the role for a session), refuses the policy when one does
    /// not exist, and keeps the map for [`Policy::bind`].
    pub fn principal_arns(&self) -> BTreeSet<&str> {
        self.principals().flat_map(Principals::arns).collect()
    }

    /// The ids of users and roles (`AIDA…`, `AROA…`) that it names as principals, each once.
    pub fn principal_ids(&self) -> BTreeSet<&str> {
        self.principals().flat_map(Principals::ids).collect()
    }

    /// The accounts that it names as principals, as such or for the name of a federated user, each once.
    pub fn principal_accounts(&self) -> BTreeSet<AccountId> {
        self.principals()
            .flat_map(crate::principal::Principals::accounts)
            .collect()
    }

    /// Makes the named ARNs mean the given ids, so that another principal of the same name is not meant.
    #[must_use]
    pub fn bind(mut self, ids: &BTreeMap<String, String>) -> Self {
        for statement in &mut self.statements {
            if let Some(principals) = &mut statement.principals {
                principals.bind(ids);
            }
        }
        self
    }

    /// The actions of `Action` elements, in lower case and with their wildcards, and those of `NotAction` as `*`.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| {
            let negated = statement.actions.negated.then_some("*");
            let patterns = statement
                .actions
                .patterns
                .iter()
                .map(|pattern| &*pattern.text);
            negated
                .into_iter()
                .chain(patterns.filter(move |_| negated.is_none()))
        })
    }

    /// The context keys that conditions and variables read, each once, in the first spelling met.
    pub fn context_keys(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let keys = self.statements.iter().flat_map(Statement::keys);
        keys.filter(|key| seen.insert(key.to_ascii_lowercase()))
            .collect()
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    fn principals(&self) -> impl Iterator<Item = &Principals> {
        self.statements
            .iter()
            .filter_map(|statement| statement.principals.as_ref())
    }
}

/// IAM's own policies have alphanumeric identifiers; in all, no two are the same but the empty ones.
fn check_sids(statements: &[Statement], kind: Kind) -> Result<(), InvalidPolicy> {
    let mut seen = BTreeSet::new();
    for sid in statements
        .iter()
        .filter_map(|statement| statement.sid.as_deref())
    {
        let strict = matches!(kind, Kind::Identity | Kind::Session | Kind::Trust);
        if strict && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(InvalidPolicy::SidCharacters);
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(InvalidPolicy::SidTwice);
        }
    }
    Ok(())
}

/// Puts other names for principals into a document, as IAM shows the id of a user or role that is gone.
///
/// `names` maps a principal as the document writes it to what to show. The text stays as it is when it names none
/// of them, and loses its white space otherwise.
pub fn rename_principals(
    text: &str,
    names: &BTreeMap<String, String>,
) -> Result<String, InvalidPolicy> {
    let mut document = Json::parse(text).map_err(|_| InvalidPolicy::Syntax)?;
    let mut renamed = false;
    let statements = document.member_mut("Statement").map(Json::elements_mut);
    for statement in statements.into_iter().flatten() {
        for element in ["Principal", "NotPrincipal"] {
            let principals = statement
                .member_mut(element)
                .and_then(|element| element.member_mut("AWS"))
                .map(Json::elements_mut);
            for principal in principals.into_iter().flatten() {
                if let Json::Text(text) = principal
                    && let Some(name) = names.get(text)
                {
                    text.clone_from(name);
                    renamed = true;
                }
            }
        }
    }
    if !renamed {
        return Ok(text.to_owned());
    }
    serde_json::to_string(&document).map_err(|_| InvalidPolicy::Syntax)
}
