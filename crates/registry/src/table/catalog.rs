//! What public registries and repositories tell about themselves.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    account::AccountId,
    id::{Incarnation, LogoId},
};

use super::args;

/// What a repository tells; a member that was never given is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CatalogData {
    pub(crate) description: Option<String>,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) operating_systems: Option<Vec<String>>,
    pub(crate) about: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) logo: Option<LogoId>,
}

impl Row for CatalogData {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let text = |idx| Ok::<_, Error>(columns.opt_text(idx)?.map(str::to_owned));
        let logo = columns.opt_blob(5)?.map(LogoId::from_slice).transpose();
        Ok(Self {
            description: text(0)?,
            architectures: words(columns.opt_text(1)?)?,
            operating_systems: words(columns.opt_text(2)?)?,
            about: text(3)?,
            usage: text(4)?,
            logo: logo.map_err(|_| Error::corrupt("repository_catalog.logo"))?,
        })
    }
}

fn words(json: Option<&str>) -> Result<Option<Vec<String>>> {
    json.map(serde_json::from_str)
        .transpose()
        .map_err(|_| Error::corrupt("a list of repository_catalog"))
}

/// Returns what a repository tells, if it ever told anything.
pub(crate) fn get(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Option<CatalogData>> {
    tx.row(
        "SELECT description, architectures, operating_systems, about, usage, logo FROM repository_catalog WHERE incarnation = ?1",
        args![incarnation.as_bytes()],
    )
}

/// Replaces what a repository tells.
pub(crate) fn put(tx: &mut dyn Tx, incarnation: Incarnation, data: &CatalogData) -> Result<()> {
    let json = |words: &Option<Vec<String>>| {
        words
            .as_ref()
            .map(|words| serde_json::json!(words).to_string())
    };
    let (architectures, systems) = (json(&data.architectures), json(&data.operating_systems));
    tx.execute(
        "INSERT INTO repository_catalog (incarnation, description, architectures, operating_systems, about, usage, logo) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (incarnation) DO UPDATE SET description = excluded.description, \
         architectures = excluded.architectures, operating_systems = excluded.operating_systems, about = excluded.about, \
         usage = excluded.usage, logo = excluded.logo",
        args![
            incarnation.as_bytes(),
            data.description.as_deref(),
            architectures.as_deref(),
            systems.as_deref(),
            data.about.as_deref(),
            data.usage.as_deref(),
            data.logo.as_ref().map(LogoId::as_bytes),
        ],
    )
    .map(drop)
}

/// Replaces the picture of a repository, or takes it away.
pub(crate) fn put_logo(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    logo: Option<(LogoId, &[u8])>,
) -> Result<()> {
    let sql = "DELETE FROM repository_logo WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes()])?;
    let Some((id, image)) = logo else {
        return Ok(());
    };
    let sql = "INSERT INTO repository_logo (id, incarnation, image) VALUES (?1, ?2, ?3)";
    tx.execute(sql, args![id.as_bytes(), incarnation.as_bytes(), image])
        .map(drop)
}

/// Returns a picture of a live repository.
pub(crate) fn logo(tx: &mut dyn Tx, id: LogoId) -> Result<Option<Vec<u8>>> {
    tx.row(
        "SELECT l.image FROM repository_logo l JOIN repository r ON r.incarnation = l.incarnation AND r.died_at IS NULL \
         WHERE l.id = ?1",
        args![id.as_bytes()],
    )
}

/// Removes what a dead repository told.
pub(crate) fn clear(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    put_logo(tx, incarnation, None)?;
    let sql = "DELETE FROM repository_catalog WHERE incarnation = ?1";
    tx.execute(sql, args![incarnation.as_bytes()]).map(drop)
}

/// Returns the display name of a public registry.
pub(crate) fn display_name(tx: &mut dyn Tx, account: AccountId) -> Result<Option<String>> {
    tx.row(
        "SELECT display_name FROM registry_catalog WHERE account = ?1 AND display_name IS NOT NULL",
        args![account.as_str()],
    )
}

/// Replaces the display name of a public registry, or takes it away.
pub(crate) fn set_display_name(
    tx: &mut dyn Tx,
    account: AccountId,
    name: Option<&str>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO registry_catalog (account, display_name) VALUES (?1, ?2) \
         ON CONFLICT (account) DO UPDATE SET display_name = excluded.display_name",
        args![account.as_str(), name],
    )
    .map(drop)
}
