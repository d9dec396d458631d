//! Which managed policies users, groups and roles have, and whom they bound.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::account::AccountId;

use super::{args, identity::IdentityKind};

/// Attaches a policy; one that is attached stays so.
pub(crate) fn put(tx: &mut dyn Tx, account: AccountId, holder: &str, policy: &str) -> Result<()> {
    let sql = "INSERT INTO policy_attachment (holder, policy, account) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    tx.execute(sql, args![holder, policy, account.as_str()])
        .map(drop)
}

/// Detaches a policy; returns whether it was attached.
pub(crate) fn remove(tx: &mut dyn Tx, holder: &str, policy: &str) -> Result<bool> {
    let sql = "DELETE FROM policy_attachment WHERE holder = ?1 AND policy = ?2";
    Ok(tx.execute(sql, args![holder, policy])? == 1)
}

/// Returns the ARNs of all policies of a holder, in order.
pub(crate) fn of(tx: &mut dyn Tx, holder: &str) -> Result<Vec<String>> {
    let sql = "SELECT policy FROM policy_attachment WHERE holder = ?1 ORDER BY policy";
    tx.rows(sql, args![holder])
}

/// Returns how many policies a holder has attached.
pub(crate) fn count(tx: &mut dyn Tx, holder: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM policy_attachment WHERE holder = ?1";
    tx.count(sql, args![holder])
}

/// Returns whether a holder has any policy attached.
pub(crate) fn any(tx: &mut dyn Tx, holder: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM policy_attachment WHERE holder = ?1 LIMIT 1) x";
    Ok(tx.count(sql, args![holder])? > 0)
}

/// How often a policy is used in an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// By users, groups and roles that it is attached to.
    pub(crate) attached: i64,
    /// By users and roles that it bounds.
    pub(crate) bounding: i64,
}

/// Returns how often a policy is used in an account.
pub(crate) fn uses(tx: &mut dyn Tx, account: AccountId, policy: &str) -> Result<Uses> {
    let row: Option<(i64, i64)> = tx.row(
        "SELECT (SELECT COUNT(*) FROM policy_attachment WHERE account = ?1 AND policy = ?2), \
         (SELECT COUNT(*) FROM principal WHERE account = ?1 AND boundary = ?2)",
        args![account.as_str(), policy],
    )?;
    let (attached, bounding) = row.unwrap_or_default();
    Ok(Uses { attached, bounding })
}

/// A user, group or role that a policy is attached to or bounds.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) kind: IdentityKind,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Its place in the list.
    pub(crate) place: String,
}

impl Row for Holder {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let kind = match columns.text(0)? {
            "group" => IdentityKind::Group,
            "role" => IdentityKind::Role,
            "user" => IdentityKind::User,
            _ => return Err(Error::corrupt("principal.kind")),
        };
        Ok(Self {
            kind,
            id: columns.text(1)?.to_owned(),
            name: columns.text(2)?.to_owned(),
            place: columns.text(3)?.to_owned(),
        })
    }
}

/// Which holders a list has.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// What their path begins with.
    pub(crate) prefix: String,
    /// Only those of this kind.
    pub(crate) kind: Option<IdentityKind>,
    /// Those that it is attached to.
    pub(crate) attached: bool,
    /// Those that it bounds.
    pub(crate) bounding: bool,
}

/// Returns up to `limit` holders of a policy in an account by kind and name, each once, after the place `after`.
pub(crate) fn holders(
    tx: &mut dyn Tx,
    account: AccountId,
    policy: &str,
    filter: &Filter,
    after: &str,
    limit: i64,
) -> Result<Vec<Holder>> {
    tx.rows(
        "SELECT kind, id, name, place FROM ( \
           SELECT 'group' AS kind, g.id, g.name, 'group/' || g.name_key AS place, g.path FROM policy_attachment t \
             JOIN user_group g ON g.id = t.holder WHERE t.account = ?1 AND t.policy = ?2 AND ?3 = 1 \
           UNION SELECT p.kind, p.id, p.name, p.kind || '/' || p.name_key, p.path FROM policy_attachment t \
             JOIN principal p ON p.id = t.holder WHERE t.account = ?1 AND t.policy = ?2 AND ?3 = 1 \
           UNION SELECT p.kind, p.id, p.name, p.kind || '/' || p.name_key, p.path FROM principal p \
             WHERE p.account = ?1 AND p.boundary = ?2 AND ?4 = 1 \
         ) x WHERE place > ?5 AND SUBSTR(path, 1, LENGTH(?6)) = ?6 AND (?7 = '' OR kind = ?7) ORDER BY place LIMIT ?8",
        args![
            account.as_str(),
            policy,
            filter.attached,
            filter.bounding,
            after,
            &filter.prefix,
            filter.kind.map_or("", IdentityKind::as_str),
            limit,
        ],
    )
}
