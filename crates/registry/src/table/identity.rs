//! Users, groups and roles: what IAM finds by a name within an account, whatever case it is written in.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::args;

/// What sort of thing a name is looked up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityKind {
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A user.
    User,
}

impl IdentityKind {
    /// The word that ARNs and rows have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Role => "role",
            Self::User => "user",
        }
    }

    /// The word that quotas have for it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Group => "Group",
            Self::Role => "Role",
            Self::User => "User",
        }
    }

    /// The ARN of the one with that path and name.
    pub fn arn(self, account: AccountId, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{account}:{}{path}{name}", self.as_str())
    }
}

/// A user, group or role.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) created_at: Timestamp,
    /// The ARN of the managed policy that bounds it; a group has none.
    pub(crate) boundary: Option<String>,
}

impl Row for Identity {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            id: columns.text(0)?.to_owned(),
            name: columns.text(1)?.to_owned(),
            path: columns.text(2)?.to_owned(),
            created_at: Timestamp::from_millis(columns.int(3)?),
            boundary: columns.opt_text(4)?.map(str::to_owned),
        })
    }
}

/// What names are compared by.
pub(crate) fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Returns the identity of that kind and name.
pub(crate) fn named(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
) -> Result<Option<Identity>> {
    let key = name_key(name);
    match kind {
        IdentityKind::Group => tx.row(
            "SELECT id, name, path, created_at, NULL FROM user_group WHERE account = ?1 AND name_key = ?2",
            args![account.as_str(), &key],
        ),
        IdentityKind::Role | IdentityKind::User => tx.row(
            "SELECT id, name, path, created_at, boundary FROM principal \
             WHERE account = ?1 AND kind = ?2 AND name_key = ?3",
            args![account.as_str(), kind.as_str(), &key],
        ),
    }
}

/// Returns up to `limit` identities of a kind in order of name, after the name key `after`, with a path that begins with `prefix`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Identity>> {
    match kind {
        IdentityKind::Group => tx.rows(
            "SELECT id, name, path, created_at, NULL FROM user_group \
             WHERE account = ?1 AND name_key > ?2 AND SUBSTR(path, 1, LENGTH(?3)) = ?3 ORDER BY name_key LIMIT ?4",
            args![account.as_str(), after, prefix, limit],
        ),
        IdentityKind::Role | IdentityKind::User => tx.rows(
            "SELECT id, name, path, created_at, boundary FROM principal WHERE account = ?1 AND kind = ?5 \
             AND name_key > ?2 AND SUBSTR(path, 1, LENGTH(?3)) = ?3 ORDER BY name_key LIMIT ?4",
            args![account.as_str(), after, prefix, limit, kind.as_str()],
        ),
    }
}

/// Makes a user or the principal of a role, unless the name is taken; returns whether it did.
pub(crate) fn insert_principal(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    identity: &Identity,
) -> Result<bool> {
    let Identity {
        id,
        name,
        path,
        created_at,
        boundary,
    } = identity;
    let made = tx.execute(
        "INSERT INTO principal (id, account, arn, created_at, kind, name, name_key, path, boundary) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        args![
            id,
            account.as_str(),
            &kind.arn(account, path, name),
            *created_at,
            kind.as_str(),
            name,
            &name_key(name),
            path,
            boundary.as_deref()
        ],
    )?;
    Ok(made == 1)
}

/// Sets or removes the managed policy that bounds a user or role.
pub(crate) fn set_boundary(tx: &mut dyn Tx, id: &str, boundary: Option<&str>) -> Result<()> {
    let sql = "UPDATE principal SET boundary = ?2 WHERE id = ?1";
    tx.execute(sql, args![id, boundary]).map(drop)
}

/// Returns the principal `id`: a user, a role, or an account's root, which has no name.
pub(crate) fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<Identity>> {
    tx.row(
        "SELECT id, name, path, created_at, boundary FROM principal WHERE id = ?1",
        args![id],
    )
}
