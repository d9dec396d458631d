//! Exchanges the keys of encryption domains: each gets a new one, and what the old ones sealed is sealed by it.
//!
//! 1. Every domain gets a key of the next version. It seals when every server has read it (`LEARNT`).
//! 2. All rows that an older one sealed are sealed anew, in bounded steps; of a segment that is its data key's wrapping,
//!    so no file is touched. Until then the old version opens them.
//! 3. A version goes when its successor has sealed for so long (`RETIRED`) that nothing can be under way which it
//!    sealed, and a walk through all rows that began after that has found nothing of it. That is a later run's work.
//!
//! Where it stands is kept, with the rows in the same transactions, so that one that is stopped goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use longshore_store::{
    crypto::DomainKeys,
    meta::{Durability, Tx},
};
use longshore_types::{
    id::{ContentId, DomainId, PhysicalId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    core::Core,
    error::{Error, Result},
    keys::{LEARNT, RETIRED},
    storage::{image::manifest_aad, move_hash_aad, piece_aad, upload_hash_aad},
    table::{
        domain, operator_task,
        sealed_row::{Content, Kind, Place, SealedRow},
    },
};

const NAME: &str = "rekey domains";
/// What begins the names of notes about versions that rows were found under in this walk.
const FOUND: &str = "rekey found ";
/// How many notes are removed at a time.
const NOTES_PER_STEP: i64 = 1_000;
const DOMAINS_PER_STEP: i64 = 100;
const ROWS_PER_STEP: i64 = 500;
/// How many sealed bytes one transaction writes, but for the last row's.
const BYTES_PER_WRITE: usize = 8 << 20;
/// How long to sleep between two looks at the clock.
const NAP: Duration = Duration::from_millis(200);

/// How to rekey.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Make no new keys, unless an earlier run was stopped that does.
    pub finish: bool,
}

/// How far it is. Serialized, it is what is kept to go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rekeyed {
    /// About how many rows there were when it began.
    pub total: u64,
    /// Rows looked at.
    pub rows: u64,
    /// Rows sealed anew.
    pub resealed: u64,
    /// Rows that do not open, and are left as they are.
    pub unreadable: u64,
    /// Since when it counts, as RFC 3339 writes it, when an earlier run was gone on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<String>,
    /// Keys made.
    pub new_keys: u64,
    /// Old keys removed.
    pub removed_keys: u64,
    /// Old keys that are still there, because they have sealed lately or because something was found under them.
    pub old_keys: u64,
    #[serde(flatten)]
    at: At,
}

/// Where it stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct At {
    /// When it began, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    began: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// The notes that this process has written.
    #[serde(skip)]
    noted: BTreeSet<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Phase {
    /// New keys are made, after this domain.
    Keys(Vec<u8>),
    /// Servers read the new keys.
    Learning,
    /// Rows are sealed anew: the kind's index, and after which row, in a walk that began at that time.
    Rows(i64, usize, Option<(Vec<u8>, Vec<u8>, i64)>),
    /// Old keys go, after this domain.
    Removal(i64, Vec<u8>),
}

/// Rekeys all domains; `progress` is told after every step. Goes on where an earlier one was stopped.
pub async fn rekey(
    core: &Core,
    options: Options,
    mut progress: impl FnMut(&Rekeyed),
) -> Result<Rekeyed> {
    let mut done = begin(core, options).await?;
    while step(core, &mut done).await? {
        progress(&done);
    }
    core.meta
        .write(Durability::Durable, |tx| {
            Ok::<_, Error>(operator_task::remove(tx, NAME)?)
        })
        .await?;
    forget_notes(core).await?;
    done.at = At::default();
    Ok(done)
}

impl Rekeyed {
    /// What is kept of it.
    fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    async fn keep(&self, core: &Core) -> Result<()> {
        let text = self.text()?;
        core.meta
            .write(Durability::Durable, move |tx| {
                Ok::<_, Error>(operator_task::put(tx, NAME, &text)?)
            })
            .await
    }
}

async fn begin(core: &Core, options: Options) -> Result<Rekeyed> {
    let (kept, total, now) = core
        .meta
        .read(|tx| {
            let mut total = 0;
            for kind in Kind::ALL {
                total += kind.count(tx)?;
            }
            Ok::<_, Error>((operator_task::get(tx, NAME)?, total, tx.now()))
        })
        .await?;
    if let Some(kept) = kept {
        let mut kept: Rekeyed = serde_json::from_str(&kept).map_err(Error::internal)?;
        kept.resumed_from = Some(Timestamp::from_millis(kept.at.began).to_rfc3339());
        return Ok(kept);
    }
    let phase = if options.finish {
        Phase::Learning
    } else {
        Phase::Keys(Vec::new())
    };
    Ok(Rekeyed {
        total: total.cast_unsigned(),
        at: At {
            began: now.as_millis(),
            phase: Some(phase),
            noted: BTreeSet::new(),
        },
        ..Rekeyed::default()
    })
}

/// Takes one step; returns whether there is another.
async fn step(core: &Core, done: &mut Rekeyed) -> Result<bool> {
    let next = match done.at.phase.clone() {
        None => return Ok(false),
        Some(Phase::Keys(after)) => make_keys(core, done, after).await?,
        Some(Phase::Learning) => learn(core, done).await?,
        Some(Phase::Rows(began, kind, after)) => reseal(core, done, began, kind, after).await?,
        Some(Phase::Removal(began, after)) => remove_keys(core, done, began, after).await?,
    };
    done.at.phase = next;
    if done.at.phase.is_none() {
        return Ok(false);
    }
    done.keep(core).await?;
    Ok(true)
}

/// Gives the next domains a new key, if they have got none since it began.
async fn make_keys(core: &Core, done: &Rekeyed, after: Vec<u8>) -> Result<Option<Phase>> {
    let newest = core
        .meta
        .read(move |tx| Ok::<_, Error>(domain::newest_keys(tx, &after, DOMAINS_PER_STEP)?))
        .await?;
    let Some(last) = newest.last() else {
        return Ok(Some(Phase::Learning));
    };
    let next = Phase::Keys(last.domain.as_bytes().to_vec());
    for key in newest {
        if key.created_at.as_millis() < done.at.began {
            core.keys.add(core, key.domain, key.version + 1).await?;
        }
    }
    Ok(Some(next))
}

/// Waits until the newest keys seal.
async fn learn(core: &Core, done: &mut Rekeyed) -> Result<Option<Phase>> {
    let (newest, now) = core
        .meta
        .read(|tx| Ok::<_, Error>((domain::last_made(tx)?, tx.now())))
        .await?;
    if newest.plus(LEARNT) > now {
        tokio::time::sleep(NAP).await;
        return Ok(Some(Phase::Learning));
    }
    core.keys.forget();
    let began = Timestamp::from_millis(done.at.began);
    let made = move |tx: &mut dyn Tx| Ok::<_, Error>(domain::made_since(tx, began)?);
    done.new_keys = core.meta.read(made).await?.cast_unsigned();
    // What an earlier walk has found does not matter to this one.
    forget_notes(core).await?;
    done.at.noted.clear();
    Ok(Some(Phase::Rows(now.as_millis(), 0, None)))
}

async fn forget_notes(core: &Core) -> Result<()> {
    let some =
        |tx: &mut dyn Tx| Ok::<_, Error>(operator_task::remove_some(tx, FOUND, NOTES_PER_STEP)?);
    while core.meta.write(Durability::Soft, some).await? > 0 {}
    Ok(())
}

async fn reseal(
    core: &Core,
    done: &mut Rekeyed,
    began: i64,
    index: usize,
    after: Option<(Vec<u8>, Vec<u8>, i64)>,
) -> Result<Option<Phase>> {
    let Some(kind) = Kind::ALL.get(index).copied() else {
        return Ok(Some(Phase::Removal(began, Vec::new())));
    };
    let after = after.map(|(first, second, start)| Place {
        owner: (first, second),
        start,
    });
    let rows = core
        .meta
        .read(move |tx| Ok::<_, Error>(kind.after(tx, after.as_ref(), ROWS_PER_STEP)?))
        .await?;
    if rows.is_empty() {
        return Ok(Some(Phase::Rows(began, index + 1, None)));
    }
    let mut keys = BTreeMap::new();
    let mut batch = Batch::default();
    for row in rows {
        let Place { owner, start } = row.place.clone();
        done.rows += 1;
        done.at.phase = Some(Phase::Rows(began, index, Some((owner.0, owner.1, start))));
        let keys = keys_of(core, &mut keys, row.domain).await?;
        if row.version == Some(keys.sealing_version()) {
            continue;
        }
        if let Some(version) = row.version {
            let note = note(row.domain, version);
            if done.at.noted.insert(note.clone()) {
                batch.notes.push(note);
            }
        }
        let wanted = row.clone();
        let old = core
            .meta
            .read(move |tx| Ok::<_, Error>(kind.content(tx, &wanted)?))
            .await?;
        // What is gone has been replaced or removed meanwhile.
        let Some(old) = old else { continue };
        let Some(new) = resealed(kind, &keys, &row, &old) else {
            tracing::error!(?kind, ?row, "a row does not open");
            done.unreadable += 1;
            continue;
        };
        batch.add(row, old, new);
        if batch.bytes > BYTES_PER_WRITE {
            std::mem::take(&mut batch).write(core, kind, done).await?;
        }
    }
    batch.write(core, kind, done).await?;
    Ok(done.at.phase.clone())
}

/// The name of the note that rows were found under a version of a domain's key.
fn note(domain: DomainId, version: u32) -> String {
    format!("{FOUND}{domain} {version}")
}

/// What a row shall have instead; nothing when it does not open.
fn resealed(kind: Kind, keys: &DomainKeys, row: &SealedRow, old: &Content) -> Option<Content> {
    match old {
        Content::Wrapped(version, wrapped) => {
            let segment = PhysicalId::from_slice(&row.of).ok()?;
            let (version, wrapped) = keys.rewrap(segment, *version, wrapped).ok()?;
            Some(Content::Wrapped(version, wrapped))
        }
        Content::Sealed(sealed) => {
            let aad = aad(kind, row)?;
            let plain = keys.open(&aad, sealed).ok()?;
            keys.seal(&aad, &plain).ok().map(Content::Sealed)
        }
    }
}

/// What a row's content is bound to.
fn aad(kind: Kind, row: &SealedRow) -> Option<Vec<u8>> {
    Some(match kind {
        Kind::UploadHash => upload_hash_aad(&row.of),
        Kind::MoveHash => move_hash_aad(&row.of),
        Kind::Manifest | Kind::ExpiredManifest => {
            manifest_aad(&longshore_types::digest::Digest::from_key(&row.of).ok()?)
        }
        _ => piece_aad(ContentId::from_slice(&row.of).ok()?, row.place.start),
    })
}

async fn keys_of(
    core: &Core,
    known: &mut BTreeMap<DomainId, Arc<DomainKeys>>,
    domain: DomainId,
) -> Result<Arc<DomainKeys>> {
    if let Some(keys) = known.get(&domain) {
        return Ok(keys.clone());
    }
    let registry = core
        .meta
        .query(move |tx| domain::registry(tx, domain))
        .await?;
    let keys = core.keys.domain(&core.meta, registry, domain).await?;
    known.insert(domain, keys.clone());
    Ok(keys)
}

/// Rows that are to be written in one transaction, with notes of what they were under and where the walk stands.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<(SealedRow, Content, Content)>,
    notes: Vec<String>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, row: SealedRow, old: Content, new: Content) {
        self.bytes += old.len() + new.len();
        self.rows.push((row, old, new));
    }

    async fn write(self, core: &Core, kind: Kind, done: &mut Rekeyed) -> Result<()> {
        done.resealed += self.rows.len() as u64;
        let text = done.text()?;
        core.meta
            .write(Durability::Durable, move |tx| {
                for (row, old, new) in &self.rows {
                    kind.replace(tx, row, old, new)?;
                }
                for note in &self.notes {
                    operator_task::put(tx, note, "")?;
                }
                Ok::<_, Error>(operator_task::put(tx, NAME, &text)?)
            })
            .await
    }
}

/// Removes what old keys the next domains do not need any more.
async fn remove_keys(
    core: &Core,
    done: &mut Rekeyed,
    began: i64,
    after: Vec<u8>,
) -> Result<Option<Phase>> {
    let newest = core
        .meta
        .read(move |tx| Ok::<_, Error>(domain::newest_keys(tx, &after, DOMAINS_PER_STEP)?))
        .await?;
    let Some(last) = newest.last() else {
        return Ok(None);
    };
    let next = Phase::Removal(began, last.domain.as_bytes().to_vec());
    for key in newest {
        remove_old_keys(core, done, Timestamp::from_millis(began), key.domain).await?;
    }
    Ok(Some(next))
}

async fn remove_old_keys(
    core: &Core,
    done: &mut Rekeyed,
    began: Timestamp,
    domain: DomainId,
) -> Result<()> {
    let mut keys = core
        .meta
        .read(move |tx| Ok::<_, Error>(domain::keys(tx, domain)?))
        .await?;
    keys.sort_by_key(|key| key.version);
    for pair in keys.windows(2) {
        let [old, successor] = pair else { continue };
        let version = u32::try_from(old.version).map_err(Error::internal)?;
        let note = note(domain, version);
        let is_found = core
            .meta
            .read(move |tx| Ok::<_, Error>(operator_task::get(tx, &note)?.is_some()))
            .await?;
        let is_retired = successor.created_at.plus(RETIRED) < began;
        if is_found || !is_retired || done.unreadable > 0 {
            done.old_keys += 1;
            continue;
        }
        core.meta
            .write(Durability::Durable, move |tx| {
                Ok::<_, Error>(domain::remove_key(tx, domain, version)?)
            })
            .await?;
        done.removed_keys += 1;
    }
    Ok(())
}
