//! Roles: a principal with a trust policy.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::{
    args,
    identity::{self, Identity, IdentityKind, name_key},
    target::PolicyRow,
};

/// A role.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) identity: Identity,
    /// The trust policy.
    pub(crate) trust: PolicyRow,
    pub(crate) description: String,
    pub(crate) max_session_seconds: i64,
    pub(crate) last_used: Option<(Timestamp, String)>,
}

const COLUMNS: &str = "p.id, p.name, p.path, p.created_at, p.boundary, r.trust, r.trust_principals, r.description, \
                       r.max_session_seconds, p.last_used_at, p.last_used_region";
const FROM: &str = "FROM principal p JOIN role r ON r.principal = p.id";

impl Row for Role {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let last_used = match (columns.opt_int(9)?, columns.opt_text(10)?) {
            (Some(millis), Some(region)) => {
                Some((Timestamp::from_millis(millis), region.to_owned()))
            }
            (None, _) => None,
            (Some(_), None) => return Err(Error::corrupt("principal.last_used_region")),
        };
        Ok(Self {
            identity: Identity::read(columns)?,
            trust: PolicyRow {
                text: columns.text(5)?.to_owned(),
                principals: columns.text(6)?.to_owned(),
            },
            description: columns.text(7)?.to_owned(),
            max_session_seconds: columns.int(8)?,
            last_used,
        })
    }
}

/// Returns the role of that name.
pub(crate) fn named(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<Option<Role>> {
    tx.row(
        &format!(
            "SELECT {COLUMNS} {FROM} WHERE p.account = ?1 AND p.kind = 'role' AND p.name_key = ?2"
        ),
        args![account.as_str(), &name_key(name)],
    )
}

/// Returns up to `limit` roles in order of name, after the name key `after`, with a path that begins with `prefix`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    account: AccountId,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Role>> {
    tx.rows(
        &format!(
            "SELECT {COLUMNS} {FROM} WHERE p.account = ?1 AND p.kind = 'role' AND p.name_key > ?2 \
             AND SUBSTR(p.path, 1, LENGTH(?3)) = ?3 ORDER BY p.name_key LIMIT ?4"
        ),
        args![account.as_str(), after, prefix, limit],
    )
}

/// Returns how many roles an account has.
pub(crate) fn count(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = 'role'";
    tx.count(sql, args![account.as_str()])
}

/// Makes a role, unless the name is taken; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, account: AccountId, role: &Role) -> Result<bool> {
    let kind = IdentityKind::Role;
    if !identity::insert_principal(tx, account, kind, &role.identity)? {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO role (principal, trust, trust_principals, description, max_session_seconds) VALUES (?1, ?2, ?3, ?4, ?5)",
        args![
            &role.identity.id,
            &role.trust.text,
            &role.trust.principals,
            &role.description,
            role.max_session_seconds
        ],
    )?;
    Ok(true)
}

/// Replaces a role's description and how long its sessions last.
pub(crate) fn update(
    tx: &mut dyn Tx,
    id: &str,
    description: &str,
    max_session_seconds: i64,
) -> Result<()> {
    let sql = "UPDATE role SET description = ?2, max_session_seconds = ?3 WHERE principal = ?1";
    tx.execute(sql, args![id, description, max_session_seconds])
        .map(drop)
}

/// Replaces a role's trust policy.
pub(crate) fn set_trust(tx: &mut dyn Tx, id: &str, trust: &PolicyRow) -> Result<()> {
    let sql = "UPDATE role SET trust = ?2, trust_principals = ?3 WHERE principal = ?1";
    tx.execute(sql, args![id, &trust.text, &trust.principals])
        .map(drop)
}

/// Removes a role; whatever hangs on it must be gone.
pub(crate) fn delete(tx: &mut dyn Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM role WHERE principal = ?1", args![id])?;
    tx.execute("DELETE FROM principal WHERE id = ?1", args![id])
        .map(drop)
}
