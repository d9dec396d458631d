//! Customer managed policies and their versions. AWS's own have no row: see `iam::managed`.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::{args, attachment::Uses, identity::name_key};

/// A customer managed policy.
#[derive(Clone, Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) description: String,
    pub(crate) default_version: i64,
    /// The highest number that a version ever had.
    pub(crate) last_version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// How often it is used; nothing when it is made.
    pub(crate) uses: Uses,
}

/// Of the policies `m`.
const COLUMNS: &str = "m.arn, m.id, m.name, m.path, m.description, m.default_version, m.last_version, m.created_at, m.updated_at, \
    (SELECT COUNT(*) FROM policy_attachment t WHERE t.account = m.account AND t.policy = m.arn), \
    (SELECT COUNT(*) FROM principal p WHERE p.account = m.account AND p.boundary = m.arn)";

impl Row for ManagedPolicy {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            arn: columns.text(0)?.to_owned(),
            id: columns.text(1)?.to_owned(),
            name: columns.text(2)?.to_owned(),
            path: columns.text(3)?.to_owned(),
            description: columns.text(4)?.to_owned(),
            default_version: columns.int(5)?,
            last_version: columns.int(6)?,
            created_at: Timestamp::from_millis(columns.int(7)?),
            updated_at: Timestamp::from_millis(columns.int(8)?),
            uses: Uses {
                attached: columns.int(9)?,
                bounding: columns.int(10)?,
            },
        })
    }
}

/// A version of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) number: i64,
    pub(crate) document: String,
    pub(crate) created_at: Timestamp,
}

impl Row for Version {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            number: columns.int(0)?,
            document: columns.text(1)?.to_owned(),
            created_at: Timestamp::from_millis(columns.int(2)?),
        })
    }
}

/// Returns the policy of that ARN.
pub(crate) fn by_arn(tx: &mut dyn Tx, arn: &str) -> Result<Option<ManagedPolicy>> {
    let sql = format!("SELECT {COLUMNS} FROM managed_policy m WHERE m.arn = ?1");
    tx.row(&sql, args![arn])
}

/// Which policies a list has.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// What their path begins with.
    pub(crate) prefix: String,
    /// Only those attached to something.
    pub(crate) attached: bool,
    /// Only those that bound something.
    pub(crate) bounding: bool,
}

/// Returns up to `limit` policies of an account in order of name, after the name key `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    account: AccountId,
    filter: &Filter,
    after: &str,
    limit: i64,
) -> Result<Vec<ManagedPolicy>> {
    tx.rows(
        &format!(
            "SELECT {COLUMNS} FROM managed_policy m WHERE m.account = ?1 AND m.name_key > ?2 AND SUBSTR(m.path, 1, LENGTH(?3)) = ?3 \
             AND (?5 = 0 OR EXISTS (SELECT 1 FROM policy_attachment t WHERE t.account = ?1 AND t.policy = m.arn)) \
             AND (?6 = 0 OR EXISTS (SELECT 1 FROM principal p WHERE p.account = ?1 AND p.boundary = m.arn)) \
             ORDER BY m.name_key LIMIT ?4"
        ),
        args![
            account.as_str(),
            after,
            &filter.prefix,
            limit,
            filter.attached,
            filter.bounding
        ],
    )
}

/// Returns how many policies an account has.
pub(crate) fn count(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM managed_policy WHERE account = ?1";
    tx.count(sql, args![account.as_str()])
}

/// Makes a policy with its first version, unless the name is taken; returns whether it did.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    account: AccountId,
    policy: &ManagedPolicy,
    document: &str,
) -> Result<bool> {
    let made = tx.execute(
        "INSERT INTO managed_policy (arn, id, account, name, name_key, path, description, default_version, last_version, \
         created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        args![
            &policy.arn,
            &policy.id,
            account.as_str(),
            &policy.name,
            &name_key(&policy.name),
            &policy.path,
            &policy.description,
            policy.default_version,
            policy.last_version,
            policy.created_at,
            policy.updated_at,
        ],
    )?;
    if made == 0 {
        return Ok(false);
    }
    insert_version(tx, &policy.arn, policy.last_version, document)?;
    Ok(true)
}

/// Makes a version.
pub(crate) fn insert_version(
    tx: &mut dyn Tx,
    arn: &str,
    number: i64,
    document: &str,
) -> Result<()> {
    let now = tx.now();
    let sql = "INSERT INTO managed_policy_version (policy, version, document, created_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, args![arn, number, document, now]).map(drop)
}

/// Says which version counts and which was the last to be made.
pub(crate) fn set_versions(tx: &mut dyn Tx, arn: &str, default: i64, last: i64) -> Result<()> {
    let now = tx.now();
    let sql = "UPDATE managed_policy SET default_version = ?2, last_version = ?3, updated_at = ?4 WHERE arn = ?1";
    tx.execute(sql, args![arn, default, last, now]).map(drop)
}

/// Returns all versions of a policy, latest first.
pub(crate) fn versions(tx: &mut dyn Tx, arn: &str) -> Result<Vec<Version>> {
    let sql = "SELECT version, document, created_at FROM managed_policy_version WHERE policy = ?1 ORDER BY version DESC";
    tx.rows(sql, args![arn])
}

/// Returns one version of a policy.
pub(crate) fn version(tx: &mut dyn Tx, arn: &str, number: i64) -> Result<Option<Version>> {
    let sql = "SELECT version, document, created_at FROM managed_policy_version WHERE policy = ?1 AND version = ?2";
    tx.row(sql, args![arn, number])
}

/// Returns how many versions a policy has.
pub(crate) fn count_versions(tx: &mut dyn Tx, arn: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM managed_policy_version WHERE policy = ?1";
    tx.count(sql, args![arn])
}

/// Removes one version; returns whether it was there.
pub(crate) fn delete_version(tx: &mut dyn Tx, arn: &str, number: i64) -> Result<bool> {
    let sql = "DELETE FROM managed_policy_version WHERE policy = ?1 AND version = ?2";
    Ok(tx.execute(sql, args![arn, number])? == 1)
}

/// Removes a policy with its versions; nothing may use it.
pub(crate) fn delete(tx: &mut dyn Tx, arn: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM managed_policy_version WHERE policy = ?1",
        args![arn],
    )?;
    tx.execute("DELETE FROM managed_policy WHERE arn = ?1", args![arn])
        .map(drop)
}
