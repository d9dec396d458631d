//! What requests are made on, read whole: a repository with its policy and tags, and the registry that it is in with its
//! policy and settings. One statement, however much of it there is.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::Registry, arn::PrincipalArn, name::RepositoryName};

use super::{
    args,
    repository::{self, Repository},
};

/// A policy as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyRow {
    /// The text as it was given.
    pub(crate) text: String,
    /// The ids of the principals that it named, by their ARNs, as JSON.
    pub(crate) principals: String,
}

/// A repository with what decides about access to it.
#[derive(Debug)]
pub(crate) struct RepositoryRow {
    pub(crate) repository: Repository,
    pub(crate) policy: Option<PolicyRow>,
    pub(crate) tags: Vec<(String, String)>,
}

/// A registry with what decides about access to it.
#[derive(Debug)]
pub(crate) struct RegistryRow {
    /// Of the account that owns it.
    pub(crate) account_version: i64,
    pub(crate) policy: Option<PolicyRow>,
    /// The settings that were ever set.
    pub(crate) settings: Vec<(String, String)>,
    /// The ARNs of users and roles whose pulls are not recorded.
    pub(crate) pull_exclusions: Vec<String>,
}

/// What decides about who assumes a role.
#[derive(Debug)]
pub(crate) struct RoleRow {
    pub(crate) trust: PolicyRow,
    pub(crate) tags: Vec<(String, String)>,
}

/// What there is of what a request is made on. Without a registry, there is no such account.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) registry: Option<RegistryRow>,
    pub(crate) repository: Option<RepositoryRow>,
}

/// Parts of the answer, in its last column. Before it stand a number and, before that, two texts.
const REPOSITORY: i64 = 1;
const TAG: i64 = 2;
const ACCOUNT: i64 = 3;
const POLICY: i64 = 4;
const SETTING: i64 = 5;
const PULL_EXCLUSION: i64 = 6;

/// The rows of a registry, which `?1` to `?3` name.
const REGISTRY_ROWS: &str = "\
    SELECT policy AS a, principals AS b, 0 AS n, 4 AS part FROM registry_policy WHERE kind = ?1 AND account = ?2 AND region = ?3 \
    UNION ALL SELECT name, value, 0, 5 FROM account_setting WHERE account = ?2 AND region = ?3 \
    UNION ALL SELECT principal, '', 0, 6 FROM pull_time_exclusion WHERE account = ?2 AND region = ?3 \
    UNION ALL SELECT '', '', version, 3 FROM account WHERE id = ?2";

/// Reads a registry; there is none where there is no such account. One statement.
pub(crate) fn registry(tx: &mut dyn Tx, registry: &Registry) -> Result<Option<RegistryRow>> {
    let mut parts = Parts::default();
    tx.query(
        REGISTRY_ROWS,
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str()
        ],
        &mut |columns| parts.take(columns, 0),
    )?;
    Ok(parts.found().registry)
}

/// Reads a live repository and its registry. One statement.
pub(crate) fn repository(
    tx: &mut dyn Tx,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<Found> {
    let nulls = ["NULL"; repository::WIDTH].join(", ");
    let sql = format!(
        "SELECT {columns}, policy, policy_principals, 0, 1 FROM repository \
         WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 AND died_at IS NULL \
         UNION ALL SELECT {nulls}, t.name, t.value, 0, 2 FROM repository r JOIN repository_tag t ON t.incarnation = r.incarnation \
         WHERE r.kind = ?1 AND r.account = ?2 AND r.region = ?3 AND r.name = ?4 AND r.died_at IS NULL \
         UNION ALL SELECT {nulls}, x.a, x.b, x.n, x.part FROM ({REGISTRY_ROWS}) x",
        columns = repository::COLUMNS,
    );
    let mut parts = Parts::default();
    tx.query(
        &sql,
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str(),
            name.as_str()
        ],
        &mut |columns| parts.take(columns, repository::WIDTH),
    )?;
    Ok(parts.found())
}

/// Reads the trust policy and the tags of a role. One statement.
pub(crate) fn role(tx: &mut dyn Tx, arn: &PrincipalArn) -> Result<Option<RoleRow>> {
    let mut parts = Parts::default();
    tx.query(
        "SELECT r.trust, r.trust_principals, 0, 4 FROM principal p JOIN role r ON r.principal = p.id WHERE p.arn = ?1 \
         UNION ALL SELECT t.name, t.value, 0, 2 FROM principal p JOIN identity_tag t ON t.holder = p.id WHERE p.arn = ?1",
        args![&arn.to_string()],
        &mut |columns| parts.take(columns, 0),
    )?;
    let Parts { policy, tags, .. } = parts;
    Ok(policy.map(|trust| RoleRow { trust, tags }))
}

/// What has been read so far; the parts come in any order.
#[derive(Default)]
struct Parts {
    repository: Option<(Repository, Option<PolicyRow>)>,
    tags: Vec<(String, String)>,
    account_version: Option<i64>,
    policy: Option<PolicyRow>,
    settings: Vec<(String, String)>,
    pull_exclusions: Vec<String>,
}

impl Parts {
    fn take(&mut self, columns: &dyn Columns, first: usize) -> Result<()> {
        let text = |idx| columns.text(idx).map(str::to_owned);
        let pair = || Ok::<_, Error>((text(first)?, text(first + 1)?));
        let policy = || -> Result<_> {
            if columns.is_null(first)? {
                return Ok(None);
            }
            let (text, principals) = pair()?;
            Ok(Some(PolicyRow { text, principals }))
        };
        match columns.int(first + 3)? {
            REPOSITORY => self.repository = Some((Repository::read(columns)?, policy()?)),
            TAG => self.tags.push(pair()?),
            ACCOUNT => self.account_version = Some(columns.int(first + 2)?),
            POLICY => self.policy = policy()?,
            SETTING => self.settings.push(pair()?),
            PULL_EXCLUSION => self.pull_exclusions.push(text(first)?),
            _ => return Err(Error::corrupt("a part of a target")),
        }
        Ok(())
    }

    fn found(self) -> Found {
        let Self {
            repository,
            tags,
            account_version,
            policy,
            settings,
            pull_exclusions,
        } = self;
        Found {
            registry: account_version.map(|account_version| RegistryRow {
                account_version,
                policy,
                settings,
                pull_exclusions,
            }),
            repository: repository.map(|(repository, policy)| RepositoryRow {
                repository,
                policy,
                tags,
            }),
        }
    }
}
