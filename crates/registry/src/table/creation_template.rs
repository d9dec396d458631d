//! Repository creation templates, by registry and prefix.

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::{
    account::Registry,
    arn::PrincipalArn,
    mutability::TagMutability,
    name::{RepositoryName, TemplatePrefix},
    time::Timestamp,
};

use super::{
    args, placeholders,
    repository::{filters_text, mutability_of},
    target::PolicyRow,
};
use crate::creation::AppliedFor;

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreationTemplate {
    pub(crate) prefix: TemplatePrefix,
    /// Empty if it has none.
    pub(crate) description: String,
    pub(crate) mutability: TagMutability,
    /// Resource tags, each key once.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) policy: Option<PolicyRow>,
    pub(crate) lifecycle_policy: Option<String>,
    /// What it is for, each once and in their order.
    pub(crate) applied_for: Vec<AppliedFor>,
    /// The role that makes the repositories, instead of the service's own.
    pub(crate) custom_role: Option<PrincipalArn>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

const COLUMNS: &str = "given_prefix, description, mutability, exclusion_filters, tags, policy, policy_principals, lifecycle_policy, \
     applied_for, custom_role, created_at, updated_at";

impl Row for CreationTemplate {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("creation_template.{what}"));
        let policy = match (columns.opt_text(5)?, columns.opt_text(6)?) {
            (Some(text), Some(principals)) => Some(PolicyRow {
                text: text.to_owned(),
                principals: principals.to_owned(),
            }),
            _ => None,
        };
        let custom_role = columns.opt_text(9)?.map(str::parse).transpose();
        Ok(Self {
            prefix: columns.text(0)?.parse().map_err(|_| corrupt("prefix"))?,
            description: columns.text(1)?.to_owned(),
            mutability: mutability_of(columns.text(2)?, columns.text(3)?)
                .ok_or_else(|| corrupt("mutability"))?,
            tags: serde_json::from_str(columns.text(4)?).map_err(|_| corrupt("tags"))?,
            policy,
            lifecycle_policy: columns.opt_text(7)?.map(str::to_owned),
            applied_for: AppliedFor::of_sum(columns.int(8)?),
            custom_role: custom_role.map_err(|_| corrupt("custom_role"))?,
            created_at: Timestamp::from_millis(columns.int(10)?),
            updated_at: Timestamp::from_millis(columns.int(11)?),
        })
    }
}

/// Returns the template of that prefix; holds it as it is.
pub(crate) fn get(
    tx: &mut dyn Tx,
    registry: &Registry,
    prefix: &TemplatePrefix,
) -> Result<Option<CreationTemplate>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM creation_template WHERE account = ?1 AND region = ?2 AND prefix = ?3 /*for update*/"
    );
    let (account, region) = (registry.account(), registry.region());
    tx.row(&sql, args![account.as_str(), region.as_str(), prefix.key()])
}

/// Returns the template of the longest prefix of `name` among those for `applied_for`; `ROOT` is the shortest.
pub(crate) fn matching(
    tx: &mut dyn Tx,
    registry: &Registry,
    name: &RepositoryName,
    applied_for: AppliedFor,
) -> Result<Option<CreationTemplate>> {
    let (account, region) = (registry.account(), registry.region());
    let prefixes: Vec<&str> = TemplatePrefix::keys_of(name).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM creation_template WHERE account = ?1 AND region = ?2 AND (applied_for & ?3) <> 0 \
         AND prefix IN ({}) ORDER BY CASE WHEN prefix = ?4 THEN 0 ELSE LENGTH(prefix) END DESC LIMIT 1 /*for share*/",
        placeholders(4, prefixes.len())
    );
    let mut args = vec![
        Value::from(account.as_str()),
        Value::from(region.as_str()),
        Value::from(applied_for.bit()),
        Value::from(TemplatePrefix::ROOT),
    ];
    args.extend(prefixes.into_iter().map(Value::from));
    tx.row(&sql, &args)
}

/// Returns up to `limit` templates of a registry in order of prefix, after the key `after`: of those keys, if any are given.
pub(crate) fn page(
    tx: &mut dyn Tx,
    registry: &Registry,
    keys: Option<&[String]>,
    after: &str,
    limit: i64,
) -> Result<Vec<CreationTemplate>> {
    let (account, region) = (registry.account(), registry.region());
    let mut args = vec![
        Value::from(account.as_str()),
        Value::from(region.as_str()),
        Value::from(after),
        Value::from(limit),
    ];
    let among = keys.map_or_else(String::new, |keys| {
        format!("AND prefix IN ({})", placeholders(4, keys.len()))
    });
    args.extend(keys.unwrap_or_default().iter().map(Value::from));
    let sql = format!(
        "SELECT {COLUMNS} FROM creation_template WHERE account = ?1 AND region = ?2 AND prefix > ?3 {among} \
         ORDER BY prefix LIMIT ?4"
    );
    tx.rows(&sql, &args)
}

/// Counts the templates of a registry, up to `most`.
pub(crate) fn count(tx: &mut dyn Tx, registry: &Registry, most: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM creation_template WHERE account = ?1 AND region = ?2 LIMIT ?3) x";
    let (account, region) = (registry.account(), registry.region());
    tx.count(sql, args![account.as_str(), region.as_str(), most])
}

/// Stores a template, unless there is one of its prefix; returns whether it did.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    registry: &Registry,
    template: &CreationTemplate,
) -> Result<bool> {
    let sql = "INSERT INTO creation_template (account, region, prefix, given_prefix, description, mutability, exclusion_filters, \
         tags, policy, policy_principals, lifecycle_policy, applied_for, custom_role, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING";
    Ok(write(tx, sql, registry, template)? == 1)
}

/// Replaces the template of that prefix.
pub(crate) fn update(
    tx: &mut dyn Tx,
    registry: &Registry,
    template: &CreationTemplate,
) -> Result<()> {
    let sql = "UPDATE creation_template SET given_prefix = ?4, description = ?5, mutability = ?6, exclusion_filters = ?7, tags = ?8, \
         policy = ?9, policy_principals = ?10, lifecycle_policy = ?11, applied_for = ?12, custom_role = ?13, created_at = ?14, \
         updated_at = ?15 WHERE account = ?1 AND region = ?2 AND prefix = ?3";
    write(tx, sql, registry, template).map(drop)
}

fn write(
    tx: &mut dyn Tx,
    sql: &str,
    registry: &Registry,
    template: &CreationTemplate,
) -> Result<u64> {
    let (account, region) = (registry.account(), registry.region());
    let policy = template.policy.as_ref();
    let role = template.custom_role.as_ref().map(ToString::to_string);
    tx.execute(
        sql,
        args![
            account.as_str(),
            region.as_str(),
            template.prefix.key(),
            template.prefix.as_str(),
            &template.description,
            template.mutability.setting().as_str(),
            &filters_text(&template.mutability),
            &serde_json::to_string(&template.tags).map_err(|_| Error::corrupt("tags"))?,
            policy.map(|policy| policy.text.as_str()),
            policy.map(|policy| policy.principals.as_str()),
            template.lifecycle_policy.as_deref(),
            AppliedFor::sum(&template.applied_for),
            role.as_deref(),
            template.created_at,
            template.updated_at,
        ],
    )
}

/// Removes the template of that prefix.
pub(crate) fn remove(tx: &mut dyn Tx, registry: &Registry, prefix: &TemplatePrefix) -> Result<()> {
    let (account, region) = (registry.account(), registry.region());
    tx.execute(
        "DELETE FROM creation_template WHERE account = ?1 AND region = ?2 AND prefix = ?3",
        args![account.as_str(), region.as_str(), prefix.key()],
    )
    .map(drop)
}
