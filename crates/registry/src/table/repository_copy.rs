//! Copies and moves of repositories: what is under way, and what ended lately.

pub(crate) mod change;
pub(crate) mod compare;
pub(crate) mod content;
pub(crate) mod target;

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    account::{AccountId, Region, Registry},
    id::{CopyId, Incarnation},
    name::RepositoryName,
    time::Timestamp,
};

use super::args;

/// Whether the source stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does.
    Copy,
    /// It goes in the moment in which the target comes.
    Move,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Images are copied in order of digest, with their layers.
    Images,
    /// Tags are copied in order of name.
    Tags,
    /// Images are compared in order of digest.
    CheckImages,
    /// Tags are compared in order of name.
    CheckTags,
    /// What has changed in the source since is made up for; once it all is, the target comes to be.
    Changes,
    /// The target is there.
    Complete,
    /// It came to nothing.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl Phase {
    const ALL: [Self; 8] = [
        Self::Images,
        Self::Tags,
        Self::CheckImages,
        Self::CheckTags,
        Self::Changes,
        Self::Complete,
        Self::Failed,
        Self::Cancelled,
    ];

    fn code(self) -> i64 {
        match self {
            Self::Images => 1,
            Self::Tags => 2,
            Self::CheckImages => 3,
            Self::CheckTags => 4,
            Self::Changes => 5,
            Self::Complete => 6,
            Self::Failed => 7,
            Self::Cancelled => 8,
        }
    }
}

/// A repository by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) registry: Registry,
    pub(crate) name: RepositoryName,
}

/// A copy, and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryCopy {
    pub(crate) id: CopyId,
    pub(crate) kind: Kind,
    pub(crate) source: Incarnation,
    /// Where the source was when the copy began.
    pub(crate) from: Named,
    pub(crate) target: Incarnation,
    /// Where the target comes to be.
    pub(crate) to: Named,
    /// Who asked, and how, as JSON.
    pub(crate) caller: String,
    pub(crate) phase: Phase,
    /// Which step comes next.
    pub(crate) step: i64,
    /// The digest or name that the phase has come to.
    pub(crate) cursor: Vec<u8>,
    /// How many images the source had when the copy began.
    pub(crate) total: i64,
    /// How many images were copied.
    pub(crate) images: i64,
    /// How many bytes of layers were written anew.
    pub(crate) bytes: i64,
    /// How many steps have failed since one succeeded.
    pub(crate) failures: i64,
    /// Why it came to nothing.
    pub(crate) failure: Option<String>,
    pub(crate) started_at: Timestamp,
    /// When it goes on.
    pub(crate) due: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, kind, source, from_account, from_region, from_name, target, to_account, to_region, to_name, caller, phase, step, \
     cursor, total, images, bytes, failures, failure, started_at, due, ended_at";

impl Row for RepositoryCopy {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("repository_copy.{what}"));
        let incarnation = |idx| {
            Incarnation::from_slice(columns.blob(idx)?).map_err(|_| corrupt("an incarnation"))
        };
        let code = columns.int(11)?;
        Ok(Self {
            id: CopyId::from_slice(columns.blob(0)?).map_err(|_| corrupt("id"))?,
            kind: match columns.int(1)? {
                1 => Kind::Copy,
                2 => Kind::Move,
                _ => return Err(corrupt("kind")),
            },
            source: incarnation(2)?,
            from: named(columns, 3)?,
            target: incarnation(6)?,
            to: named(columns, 7)?,
            caller: columns.text(10)?.to_owned(),
            phase: Phase::ALL
                .into_iter()
                .find(|phase| phase.code() == code)
                .ok_or_else(|| corrupt("phase"))?,
            step: columns.int(12)?,
            cursor: columns.blob(13)?.to_vec(),
            total: columns.int(14)?,
            images: columns.int(15)?,
            bytes: columns.int(16)?,
            failures: columns.int(17)?,
            failure: columns.opt_text(18)?.map(str::to_owned),
            started_at: Timestamp::from_millis(columns.int(19)?),
            due: Timestamp::from_millis(columns.int(20)?),
            ended_at: columns.opt_int(21)?.map(Timestamp::from_millis),
        })
    }
}

/// Reads a private repository's account, Region and name.
fn named(columns: &dyn Columns, first: usize) -> Result<Named> {
    let corrupt = |_| Error::corrupt("repository_copy: a name");
    let account: AccountId = columns
        .text(first)?
        .parse()
        .map_err(|_| Error::corrupt("repository_copy: an account"))?;
    let region: Region = columns
        .text(first + 1)?
        .parse()
        .map_err(|_| Error::corrupt("repository_copy: a Region"))?;
    Ok(Named {
        registry: Registry::private(account, region)
            .map_err(|_| Error::corrupt("repository_copy: a registry"))?,
        name: columns.text(first + 2)?.parse().map_err(corrupt)?,
    })
}

/// Begins a copy, unless one to the same place is under way; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<bool> {
    let kind = match copy.kind {
        Kind::Copy => 1,
        Kind::Move => 2,
    };
    let inserted = tx.execute(
        "INSERT INTO repository_copy (id, kind, source, from_account, from_region, from_name, target, to_account, to_region, to_name, \
         caller, phase, step, cursor, total, images, bytes, failures, failure, started_at, due, ended_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, 0, 0, NULL, ?16, ?17, NULL) ON CONFLICT DO NOTHING",
        args![
            copy.id.as_bytes(),
            kind,
            copy.source.as_bytes(),
            copy.from.registry.account().as_str(),
            copy.from.registry.region().as_str(),
            copy.from.name.as_str(),
            copy.target.as_bytes(),
            copy.to.registry.account().as_str(),
            copy.to.registry.region().as_str(),
            copy.to.name.as_str(),
            &copy.caller,
            copy.phase.code(),
            copy.step,
            &copy.cursor,
            copy.total,
            copy.started_at,
            copy.due,
        ],
    )?;
    Ok(inserted == 1)
}

/// Takes the step that `copy` stands before, for this transaction; returns whether it was still to be taken.
pub(crate) fn claim(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<bool> {
    let claimed = tx.execute(
        "UPDATE repository_copy SET step = step + 1 WHERE id = ?1 AND step = ?2 AND ended_at IS NULL",
        args![copy.id.as_bytes(), copy.step],
    )?;
    Ok(claimed == 1)
}

/// Keeps how far a claimed step of `copy` came, but for the bytes, which are counted as they are written.
pub(crate) fn save(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<()> {
    tx.execute(
        "UPDATE repository_copy SET phase = ?2, cursor = ?3, images = ?4, failures = ?5, failure = ?6, due = ?7, ended_at = ?8 \
         WHERE id = ?1",
        args![
            copy.id.as_bytes(),
            copy.phase.code(),
            &copy.cursor,
            copy.images,
            copy.failures,
            copy.failure.as_ref(),
            copy.due,
            copy.ended_at,
        ],
    )
    .map(drop)
}

/// Counts bytes that a step is writing, ahead of its end.
pub(crate) fn add_bytes(tx: &mut dyn Tx, id: CopyId, bytes: i64) -> Result<()> {
    let sql = "UPDATE repository_copy SET bytes = bytes + ?2 WHERE id = ?1";
    tx.execute(sql, args![id.as_bytes(), bytes]).map(drop)
}

/// Returns a copy; holds it there.
pub(crate) fn get(tx: &mut dyn Tx, id: CopyId) -> Result<Option<RepositoryCopy>> {
    let sql = format!("SELECT {COLUMNS} FROM repository_copy WHERE id = ?1 /*for update*/");
    tx.row(&sql, args![id.as_bytes()])
}

/// Returns up to `limit` accounts of which copies are due, those first that have waited longest.
pub(crate) fn accounts_due(tx: &mut dyn Tx, limit: i64) -> Result<Vec<AccountId>> {
    let now = tx.now();
    let sql = "SELECT from_account FROM repository_copy WHERE ended_at IS NULL AND due <= ?1 \
               GROUP BY from_account ORDER BY MIN(due), from_account LIMIT ?2";
    let accounts: Vec<String> = tx.rows(sql, args![now, limit])?;
    let account = |text: String| text.parse();
    let accounts: std::result::Result<_, _> = accounts.into_iter().map(account).collect();
    accounts.map_err(|_| Error::corrupt("repository_copy: an account"))
}

/// Returns the copy of an account that has been due for longest, if one is.
pub(crate) fn due(tx: &mut dyn Tx, account: AccountId) -> Result<Option<RepositoryCopy>> {
    let now = tx.now();
    let sql = format!(
        "SELECT {COLUMNS} FROM repository_copy WHERE ended_at IS NULL AND due <= ?1 AND from_account = ?2 \
         ORDER BY due, id LIMIT 1"
    );
    tx.row(&sql, args![now, account.as_str()])
}

/// Counts the copies under way whose source is in an account.
pub(crate) fn running(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM repository_copy WHERE ended_at IS NULL AND from_account = ?1";
    tx.count(sql, args![account.as_str()])
}

/// Returns up to `limit` copies that were begun from that name, latest first, before `before`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    from: &Named,
    before: &[u8],
    limit: i64,
) -> Result<Vec<RepositoryCopy>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM repository_copy WHERE from_account = ?1 AND from_region = ?2 AND from_name = ?3 AND id < ?4 \
         AND (ended_at IS NULL OR ended_at > 0) ORDER BY id DESC LIMIT ?5"
    );
    tx.rows(
        &sql,
        args![
            from.registry.account().as_str(),
            from.registry.region().as_str(),
            from.name.as_str(),
            before,
            limit
        ],
    )
}

/// Returns the copy that ended first, if that was before `before`.
pub(crate) fn ended(tx: &mut dyn Tx, before: Timestamp) -> Result<Option<CopyId>> {
    let sql = "SELECT id FROM repository_copy WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT 1";
    tx.row(sql, args![before])
}

/// Forgets who asked for a copy that goes on no more.
pub(crate) fn forget_caller(tx: &mut dyn Tx, id: CopyId) -> Result<()> {
    let sql = "UPDATE repository_copy SET caller = '' WHERE id = ?1";
    tx.execute(sql, args![id.as_bytes()]).map(drop)
}

/// Lets some of the copies of an account that have ended be forgotten, but for the latest `most`: no list tells them any more.
pub(crate) fn shorten(tx: &mut dyn Tx, account: AccountId, most: i64) -> Result<()> {
    tx.execute(
        "UPDATE repository_copy SET ended_at = 0 WHERE id IN (SELECT id FROM repository_copy \
         WHERE from_account = ?1 AND ended_at > 0 ORDER BY ended_at DESC, id LIMIT 10 OFFSET ?2)",
        args![account.as_str(), most],
    )
    .map(drop)
}

/// Forgets a copy that has ended.
pub(crate) fn remove(tx: &mut dyn Tx, id: CopyId) -> Result<()> {
    let sql = "DELETE FROM repository_copy WHERE id = ?1 AND ended_at IS NOT NULL";
    tx.execute(sql, args![id.as_bytes()]).map(drop)
}
