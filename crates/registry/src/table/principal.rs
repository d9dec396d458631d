//! Principals and their access keys: a principal is read whole, with all that decides about what it may do.

use longshore_store::meta::{Columns, Error, Result, Tx, Value};
use longshore_types::{
    account::AccountId,
    arn::{PrincipalArn, PrincipalKind},
};

use super::{ROWS_PER_STATEMENT, args, placeholders};

/// A root, user or role with its tags and policies, as they were when its account had `account_version`.
#[derive(Debug)]
pub(crate) struct PrincipalRow {
    pub(crate) id: String,
    pub(crate) arn: PrincipalArn,
    pub(crate) kind: PrincipalKind,
    pub(crate) account: AccountId,
    pub(crate) account_version: i64,
    /// The sealed secret of the access key that it was found by.
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) tags: Vec<(String, String)>,
    /// The inline policies, its own and its groups'.
    pub(crate) inline: Vec<NamedDocument>,
    /// The policies attached to it and its groups, by ARN; AWS's own come without document.
    pub(crate) attached: Vec<NamedDocument>,
    /// The boundary, by ARN; AWS's own come without document.
    pub(crate) boundary: Option<NamedDocument>,
    /// The managed policies asked for beside, as far as they are there.
    pub(crate) asked: Vec<NamedDocument>,
}

/// A policy under its name, or the ARN of one that has no row.
pub(crate) type NamedDocument = (String, Option<String>);

/// Parts of the answer, in its first column. Two texts follow; the principal's own row goes on after them.
const PRINCIPAL: i64 = 1;
const TAG: i64 = 2;
const INLINE: i64 = 3;
const ATTACHED: i64 = 4;
const BOUNDARY: i64 = 5;
const ASKED: i64 = 6;

/// The principal is `who`; whose policies it has are the `holder`s.
macro_rules! whole {
    ($who:literal) => {
        concat!(
            "WITH who AS (",
            $who,
            "), holder AS (SELECT id FROM who UNION ALL SELECT g.user_group FROM who JOIN group_member g ON g.principal = who.id) \
             SELECT 1, who.id, who.arn, who.account, a.version, who.secret FROM who JOIN account a ON a.id = who.account \
             UNION ALL SELECT 2, t.name, t.value, NULL, NULL, NULL FROM who JOIN identity_tag t ON t.holder = who.id \
             UNION ALL SELECT 3, i.name, i.document, NULL, NULL, NULL FROM holder JOIN inline_policy i ON i.holder = holder.id \
             UNION ALL SELECT 4, t.policy, v.document, NULL, NULL, NULL FROM holder JOIN policy_attachment t ON t.holder = holder.id \
             LEFT JOIN managed_policy m ON m.arn = t.policy \
             LEFT JOIN managed_policy_version v ON v.policy = m.arn AND v.version = m.default_version \
             UNION ALL SELECT 5, who.boundary, v.document, NULL, NULL, NULL FROM who LEFT JOIN managed_policy m ON m.arn = who.boundary \
             LEFT JOIN managed_policy_version v ON v.policy = m.arn AND v.version = m.default_version WHERE who.boundary IS NOT NULL"
        )
    };
}

const BY_KEY: &str = whole!(
    "SELECT p.id, p.arn, p.account, p.boundary, k.secret FROM access_key k JOIN principal p ON p.id = k.principal \
     WHERE k.id = ?1 AND k.active = 1"
);

const BY_ID: &str = whole!(
    "SELECT p.id, p.arn, p.account, p.boundary, NULL AS secret FROM principal p WHERE p.id = ?1"
);

/// Returns whom the active access key `id`, which is any text that a client signs with, signs for. One statement.
pub(crate) fn by_key(tx: &mut dyn Tx, id: &str) -> Result<Option<PrincipalRow>> {
    if id.contains('\0') {
        return Ok(None);
    }
    read(tx, BY_KEY, args![id])
}

/// Returns the principal `id`, and beside it the customers' managed policies of those ARNs. One statement.
pub(crate) fn by_id(
    tx: &mut dyn Tx,
    id: &str,
    policies: &[String],
) -> Result<Option<PrincipalRow>> {
    if policies.is_empty() {
        return read(tx, BY_ID, args![id]);
    }
    let sql = format!(
        "{BY_ID} UNION ALL SELECT 6, m.arn, v.document, NULL, NULL, NULL FROM managed_policy m \
         JOIN managed_policy_version v ON v.policy = m.arn AND v.version = m.default_version WHERE m.arn IN ({})",
        placeholders(1, policies.len())
    );
    let mut args = vec![Value::from(id)];
    args.extend(policies.iter().map(Value::from));
    read(tx, &sql, &args)
}

fn read(tx: &mut dyn Tx, sql: &str, args: &[Value<'_>]) -> Result<Option<PrincipalRow>> {
    let mut found = None;
    let (mut tags, mut inline, mut attached, mut asked) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut boundary = None;
    tx.query(sql, args, &mut |columns| {
        let document = || -> Result<NamedDocument> {
            let document = columns.opt_text(2)?.map(str::to_owned);
            Ok((columns.text(1)?.to_owned(), document))
        };
        match columns.int(0)? {
            PRINCIPAL => found = Some(principal(columns)?),
            TAG => tags.push((columns.text(1)?.to_owned(), columns.text(2)?.to_owned())),
            INLINE => inline.push(document()?),
            ATTACHED => attached.push(document()?),
            BOUNDARY => boundary = Some(document()?),
            ASKED => asked.push(document()?),
            _ => return Err(Error::corrupt("a part of a principal")),
        }
        Ok(())
    })?;
    Ok(found.map(|found| PrincipalRow {
        tags,
        inline,
        attached,
        boundary,
        asked,
        ..found
    }))
}

/// Reads the principal's own row; what else it has is in other rows.
fn principal(columns: &dyn Columns) -> Result<PrincipalRow> {
    let arn: PrincipalArn = columns
        .text(2)?
        .parse()
        .map_err(|_| Error::corrupt("principal.arn"))?;
    Ok(PrincipalRow {
        id: columns.text(1)?.to_owned(),
        kind: arn.kind(),
        arn,
        account: columns
            .text(3)?
            .parse()
            .map_err(|_| Error::corrupt("principal.account"))?,
        account_version: columns.int(4)?,
        secret: columns.opt_blob(5)?.map(<[u8]>::to_vec),
        tags: Vec::new(),
        inline: Vec::new(),
        attached: Vec::new(),
        boundary: None,
        asked: Vec::new(),
    })
}

/// Returns the sealed secret of the active access key `id`.
pub(crate) fn secret(tx: &mut dyn Tx, id: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT secret FROM access_key WHERE id = ?1 AND active = 1";
    tx.row(sql, args![id])
}

/// Returns the id of the user or role of that ARN.
pub(crate) fn id(tx: &mut dyn Tx, arn: &str) -> Result<Option<String>> {
    tx.row("SELECT id FROM principal WHERE arn = ?1", args![arn])
}

/// Returns the id of the role of that very name, whatever its path.
pub(crate) fn role_id(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<Option<String>> {
    tx.row(
        "SELECT id FROM principal WHERE account = ?1 AND kind = 'role' AND name_key = ?2 AND name = ?3",
        args![account.as_str(), &name.to_ascii_lowercase(), name],
    )
}

/// Returns the ids of those that there are, with their ARNs.
pub(crate) fn arns(tx: &mut dyn Tx, ids: &[&str]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "SELECT id, arn FROM principal WHERE id IN ({})",
            placeholders(0, chunk.len())
        );
        let args: Vec<Value<'_>> = chunk.iter().map(|id| Value::from(*id)).collect();
        found.extend(tx.rows::<(String, String)>(&sql, &args)?);
    }
    Ok(found)
}

/// Makes an account, unless there is one; returns whether it did.
pub(crate) fn insert_account(tx: &mut dyn Tx, account: AccountId) -> Result<bool> {
    let now = tx.now();
    let sql =
        "INSERT INTO account (id, version, created_at) VALUES (?1, 1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, args![&account.to_string(), now])? == 1)
}

/// Makes a principal.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    id: &str,
    account: AccountId,
    arn: &PrincipalArn,
) -> Result<()> {
    let now = tx.now();
    let sql = "INSERT INTO principal (id, account, arn, created_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, args![id, &account.to_string(), &arn.to_string(), now])
        .map(drop)
}

/// Returns the account of the access key `id`, be it active or not.
pub(crate) fn account_of_key(tx: &mut dyn Tx, id: &str) -> Result<Option<AccountId>> {
    let account: Option<String> = tx.row(
        "SELECT p.account FROM access_key k JOIN principal p ON p.id = k.principal WHERE k.id = ?1",
        args![id],
    )?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| Error::corrupt("principal.account"))
    };
    account.map(parse).transpose()
}

/// Makes an active access key. `secret` is sealed.
pub(crate) fn insert_key(tx: &mut dyn Tx, id: &str, principal: &str, secret: &[u8]) -> Result<()> {
    let now = tx.now();
    let sql = "INSERT INTO access_key (id, principal, secret, active, created_at) VALUES (?1, ?2, ?3, 1, ?4)";
    tx.execute(sql, args![id, principal, secret, now]).map(drop)
}

/// Returns the account that was made first, if there is any.
pub(crate) fn oldest_account(tx: &mut dyn Tx) -> Result<Option<String>> {
    tx.row(
        "SELECT id FROM account ORDER BY created_at, id LIMIT 1",
        args![],
    )
}

/// Returns whether the store has any account.
pub(crate) fn any_account(tx: &mut dyn Tx) -> Result<bool> {
    Ok(tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM account) THEN 1 ELSE 0 END",
        args![],
    )? == 1)
}
