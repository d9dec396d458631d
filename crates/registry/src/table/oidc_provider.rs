//! OpenID Connect providers that an account trusts.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::args;

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OidcProvider {
    pub(crate) arn: String,
    /// The issuer without its scheme, as in the ARN.
    pub(crate) url: String,
    /// The audiences that its tokens may have.
    pub(crate) client_ids: Vec<String>,
    /// SHA-1 fingerprints of certificates that it is trusted by where no public root vouches for it.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) created_at: Timestamp,
}

impl Row for OidcProvider {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let list = |idx: usize, what: &str| {
            serde_json::from_str(columns.text(idx)?).map_err(|_| Error::corrupt(what))
        };
        Ok(Self {
            arn: columns.text(0)?.to_owned(),
            url: columns.text(1)?.to_owned(),
            client_ids: list(2, "oidc_provider.client_ids")?,
            thumbprints: list(3, "oidc_provider.thumbprints")?,
            created_at: Timestamp::from_millis(columns.int(4)?),
        })
    }
}

fn json(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

/// Returns the provider of that ARN.
pub(crate) fn by_arn(tx: &mut dyn Tx, arn: &str) -> Result<Option<OidcProvider>> {
    let sql =
        "SELECT arn, url, client_ids, thumbprints, created_at FROM oidc_provider WHERE arn = ?1";
    tx.row(sql, args![arn])
}

/// Returns the ARNs of all providers of an account, in order. There are few: their number is bounded.
pub(crate) fn arns(tx: &mut dyn Tx, account: AccountId) -> Result<Vec<String>> {
    let sql = "SELECT arn FROM oidc_provider WHERE account = ?1 ORDER BY arn";
    tx.rows(sql, args![account.as_str()])
}

/// Makes a provider, unless it is there; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, account: AccountId, provider: &OidcProvider) -> Result<bool> {
    let made = tx.execute(
        "INSERT INTO oidc_provider (arn, account, url, client_ids, thumbprints, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        args![
            &provider.arn,
            account.as_str(),
            &provider.url,
            &json(&provider.client_ids),
            &json(&provider.thumbprints),
            provider.created_at,
        ],
    )?;
    Ok(made == 1)
}

/// Replaces a provider's client ids and thumbprints.
pub(crate) fn update(tx: &mut dyn Tx, provider: &OidcProvider) -> Result<()> {
    let sql = "UPDATE oidc_provider SET client_ids = ?2, thumbprints = ?3 WHERE arn = ?1";
    tx.execute(
        sql,
        args![
            &provider.arn,
            &json(&provider.client_ids),
            &json(&provider.thumbprints)
        ],
    )
    .map(drop)
}

/// Removes a provider.
pub(crate) fn delete(tx: &mut dyn Tx, arn: &str) -> Result<()> {
    tx.execute("DELETE FROM oidc_provider WHERE arn = ?1", args![arn])
        .map(drop)
}
