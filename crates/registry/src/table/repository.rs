//! Repositories: one row per incarnation.

use longshore_store::meta::{self, Columns, Row, Tx};
use longshore_types::{
    account::{AccountId, Region, Registry, RegistryKind},
    id::{DomainId, Incarnation},
    mutability::TagMutability,
    name::RepositoryName,
    time::Timestamp,
};

use super::{args, target::PolicyRow};

/// A live repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Made with the repository; a new one of the same name has another.
    pub incarnation: Incarnation,
    /// Where it is.
    pub registry: Registry,
    /// Its name.
    pub name: RepositoryName,
    /// The encryption domain of everything in it.
    pub domain: DomainId,
    /// Rises with its policies and settings.
    pub version: i64,
    /// Which tags may move.
    pub mutability: TagMutability,
    /// Whether a push asks for a scan.
    pub scan_on_push: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What [`Repository`] is read from.
pub(super) const COLUMNS: &str = "incarnation, kind, account, region, name, domain, version, mutability, exclusion_filters, scan_on_push, created_at";

/// How many columns those are.
pub(super) const WIDTH: usize = 11;

impl Row for Repository {
    fn read(columns: &dyn Columns) -> meta::Result<Self> {
        let corrupt = |what: &str| meta::Error::corrupt(format!("repository.{what}"));
        let kind: RegistryKind = columns.text(1)?.parse().map_err(|_| corrupt("kind"))?;
        let account: AccountId = columns.text(2)?.parse().map_err(|_| corrupt("account"))?;
        let region: Region = columns.text(3)?.parse().map_err(|_| corrupt("region"))?;
        Ok(Self {
            incarnation: Incarnation::from_slice(columns.blob(0)?)
                .map_err(|_| corrupt("incarnation"))?,
            registry: Registry::new(kind, account, region).map_err(|_| corrupt("region"))?,
            name: columns.text(4)?.parse().map_err(|_| corrupt("name"))?,
            domain: DomainId::from_slice(columns.blob(5)?).map_err(|_| corrupt("domain"))?,
            version: columns.int(6)?,
            mutability: mutability_of(columns.text(7)?, columns.text(8)?)
                .ok_or_else(|| corrupt("mutability"))?,
            scan_on_push: columns.int(9)? != 0,
            created_at: Timestamp::from_millis(columns.int(10)?),
        })
    }
}

/// Joins the columns of a mutability. Filters are stored joined by spaces, which no filter can hold.
pub(super) fn mutability_of(setting: &str, filters: &str) -> Option<TagMutability> {
    let filters = filters
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    TagMutability::new(setting.parse().ok()?, filters).ok()
}

pub(super) fn filters_text(mutability: &TagMutability) -> String {
    let filters: Vec<String> = mutability
        .filters()
        .iter()
        .map(ToString::to_string)
        .collect();
    filters.join(" ")
}

/// Returns the live repository of that incarnation.
pub(crate) fn live(tx: &mut dyn Tx, incarnation: Incarnation) -> meta::Result<Option<Repository>> {
    let sql =
        format!("SELECT {COLUMNS} FROM repository WHERE incarnation = ?1 AND died_at IS NULL");
    tx.row(&sql, args![incarnation.as_bytes()])
}

/// Returns the live repository of that name; holds it alive for this transaction.
pub(crate) fn named(
    tx: &mut dyn Tx,
    registry: &Registry,
    name: &RepositoryName,
) -> meta::Result<Option<Repository>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM repository WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 AND died_at IS NULL /*for share*/"
    );
    let (account, region) = (registry.account(), registry.region());
    let kind = registry.kind().as_str();
    tx.row(
        &sql,
        args![kind, account.as_str(), region.as_str(), name.as_str()],
    )
}

/// Returns up to `limit` live repositories of a registry in order of name, after `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    registry: &Registry,
    after: &str,
    limit: i64,
) -> meta::Result<Vec<Repository>> {
    tx.rows(
        &format!(
            "SELECT {COLUMNS} FROM repository WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name > ?4 AND died_at IS NULL \
             ORDER BY name LIMIT ?5"
        ),
        args![registry.kind().as_str(), registry.account().as_str(), registry.region().as_str(), after, limit],
    )
}

/// Counts the live repositories of a registry, up to `most`.
pub(crate) fn count(tx: &mut dyn Tx, registry: &Registry, most: i64) -> meta::Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM repository WHERE kind = ?1 AND account = ?2 AND region = ?3 \
         AND died_at IS NULL LIMIT ?4) x";
    let (account, region) = (registry.account(), registry.region());
    tx.count(
        sql,
        args![
            registry.kind().as_str(),
            account.as_str(),
            region.as_str(),
            most
        ],
    )
}

/// Makes a repository, unless the name is taken; returns whether it did.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    repository: &Repository,
    policy: Option<&PolicyRow>,
) -> meta::Result<bool> {
    let registry = &repository.registry;
    let (policy, principals) = policy
        .map(|policy| (policy.text.as_str(), policy.principals.as_str()))
        .unzip();
    let made = tx.execute(
        "INSERT INTO repository (incarnation, kind, account, region, name, domain, version, mutability, exclusion_filters, \
         scan_on_push, created_at, policy, policy_principals, died_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, NULL) ON CONFLICT DO NOTHING",
        args![
            repository.incarnation.as_bytes(),
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str(),
            repository.name.as_str(),
            repository.domain.as_bytes(),
            repository.version,
            repository.mutability.setting().as_str(),
            &filters_text(&repository.mutability),
            repository.scan_on_push,
            repository.created_at,
            policy,
            principals,
        ],
    )?;
    Ok(made == 1)
}

/// Returns the policy of a repository, inside a transaction that has proven its grant.
pub(crate) fn policy(tx: &mut dyn Tx, incarnation: Incarnation) -> meta::Result<Option<PolicyRow>> {
    let sql = "SELECT policy, policy_principals FROM repository WHERE incarnation = ?1 AND policy IS NOT NULL";
    tx.row(sql, args![incarnation.as_bytes()])
}

/// Gives a repository a policy, or none.
pub(crate) fn set_policy(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    policy: Option<&PolicyRow>,
) -> meta::Result<()> {
    let text = policy.map(|policy| policy.text.as_str());
    let principals = policy.map(|policy| policy.principals.as_str());
    tx.execute(
        "UPDATE repository SET policy = ?2, policy_principals = ?3, version = version + 1 WHERE incarnation = ?1",
        args![incarnation.as_bytes(), text, principals],
    )
    .map(drop)
}

/// Voids what was decided by the tags of a repository.
pub(crate) fn bump(tx: &mut dyn Tx, incarnation: Incarnation) -> meta::Result<()> {
    let sql = "UPDATE repository SET version = version + 1 WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes()]).map(drop)
}

/// Replaces which tags may move.
pub(crate) fn set_mutability(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    mutability: &TagMutability,
) -> meta::Result<()> {
    tx.execute(
        "UPDATE repository SET mutability = ?2, exclusion_filters = ?3, version = version + 1 WHERE incarnation = ?1",
        args![incarnation.as_bytes(), mutability.setting().as_str(), &filters_text(mutability)],
    )
    .map(drop)
}

/// Marks a repository dead: invisible, its name free. Waits for every writer that holds it alive.
pub(crate) fn kill(tx: &mut dyn Tx, incarnation: Incarnation) -> meta::Result<()> {
    let now = tx.now();
    let sql = "UPDATE repository SET died_at = ?2, version = version + 1 WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes(), now])
        .map(drop)
}

/// Returns up to `limit` dead incarnations that nobody else works on, oldest first. Targets of copies, which are not born
/// yet, are none.
pub(crate) fn dead(tx: &mut dyn Tx, limit: i64) -> meta::Result<Vec<Vec<u8>>> {
    let now = tx.now();
    let sql = "SELECT incarnation FROM repository WHERE died_at <= ?1 ORDER BY died_at LIMIT ?2 \
               /*for update skip locked*/";
    tx.rows(sql, args![now, limit])
}

/// Gives a live repository another name, unless that is taken; returns whether it did.
pub(crate) fn rename(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    name: &RepositoryName,
) -> meta::Result<bool> {
    let renamed = tx.execute(
        "UPDATE repository SET name = ?2, version = version + 1 WHERE incarnation = ?1 AND died_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM repository o WHERE o.kind = repository.kind AND o.account = repository.account \
         AND o.region = repository.region AND o.name = ?2 AND o.died_at IS NULL)",
        args![incarnation.as_bytes(), name.as_str()],
    )?;
    Ok(renamed == 1)
}

/// Removes the row of a dead repository that has no children left.
pub(crate) fn bury(tx: &mut dyn Tx, incarnation: Incarnation) -> meta::Result<()> {
    tx.execute(
        "DELETE FROM repository WHERE incarnation = ?1 AND died_at IS NOT NULL",
        args![incarnation.as_bytes()],
    )
    .map(drop)
}
