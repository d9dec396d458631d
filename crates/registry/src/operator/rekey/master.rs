//! Exchanges the master key: what is sealed under the old one is sealed under the new one, row by row.
//!
//! The exchange begins with the row of the key's check value, which names both keys until it ends. Who seals anything
//! under a master key proves by that row that it is the new one (`keys::Sealed`), so going through the rows once is
//! enough, and when the row names the new key alone, nothing needs the old one. Stopped anywhere, it is begun again.

use std::sync::Arc;

use longshore_store::{
    crypto::MasterKey,
    meta::{Durability, Tx},
};
use serde::Serialize;

use crate::{
    bootstrap::Refused,
    core::Core,
    error::{Error, Result},
    keys::{KeyCheck, copies},
    table::under_master::{Kind, Name, UnderMaster},
};

const PER_STEP: i64 = 100;

/// An exchange that is under way.
#[derive(Debug)]
pub struct Exchange<'a> {
    core: &'a Core,
    new: Arc<MasterKey>,
    check: KeyCheck,
    at: Option<(Kind, Name)>,
    /// What was done.
    pub done: Exchanged,
}

/// How far an exchange is.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchanged {
    /// How many rows there were when it began.
    pub total: u64,
    /// How many were looked at.
    pub rows: u64,
    /// How many were sealed anew.
    pub resealed: u64,
    /// How many neither key opens; they are left as they are.
    pub unreadable: u64,
    /// Whether an exchange was gone on with that had been stopped.
    pub resumed: bool,
}

/// Why an exchange does not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotExchanged {
    /// An exchange for another key was begun and not ended.
    #[error(
        "the master key is being exchanged for another one than this: end that exchange first, with the key that it began with"
    )]
    Another,
    /// The keys given are not those that it takes, or the store fails.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<Error> for NotExchanged {
    fn from(error: Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<longshore_store::meta::Error> for NotExchanged {
    fn from(error: longshore_store::meta::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl<'a> Exchange<'a> {
    /// Begins the exchange for the key of check value `new`, or goes on with it; `core` holds that key and the old one.
    /// There is nothing to do, and nothing is returned, when the store is under that key already and `core` holds no other;
    /// with another one all rows are looked at again.
    pub async fn begin(core: &'a Core, new: [u8; 32]) -> Result<Option<Self>, NotExchanged> {
        let key = core.keys.master().of_check(&new);
        let key = key.ok_or(Refused::MasterKey)?;
        let again = core.keys.master().has_another(&new);
        let begun = core
            .meta
            .write(Durability::Durable, move |tx| begin(tx, new, again))
            .await?;
        let Some(Begun {
            check,
            total,
            resumed,
        }) = begun
        else {
            // An exchange may have been stopped after its last row.
            if let Some(objects) = core.blobs.objects() {
                copies::clear(objects, core.keys.master(), &key).await?;
            }
            return Ok(None);
        };
        if !check.is_met_by(core.keys.master()) {
            return Err(Refused::MasterKey.into());
        }
        Ok(Some(Self {
            core,
            new: key,
            check,
            at: Some((Kind::Secrets, Name::default())),
            done: Exchanged {
                total: total.cast_unsigned(),
                resumed,
                ..Exchanged::default()
            },
        }))
    }

    /// Takes one step; returns whether there is another.
    pub async fn step(&mut self) -> Result<bool> {
        let Some((kind, after)) = self.at.take() else {
            return Ok(false);
        };
        let from = after.clone();
        let rows = self
            .core
            .meta
            .read(move |tx| Ok::<_, Error>(kind.after(tx, &from, PER_STEP)?))
            .await?;
        let Some(last) = rows.last() else {
            return self.enter_after(kind).await;
        };
        self.at = Some((kind, last.name.clone()));
        let resealed = self.reseal(&rows)?;
        self.done.resealed += resealed.len() as u64;
        self.done.rows += rows.len() as u64;
        self.core
            .meta
            .write(Durability::Durable, move |tx| {
                for (row, sealed) in &resealed {
                    kind.reseal(tx, row, sealed)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        Ok(true)
    }

    /// The rows that are not under the new key yet, and what they shall have.
    fn reseal(&mut self, rows: &[UnderMaster]) -> Result<Vec<(UnderMaster, Vec<u8>)>> {
        let mut resealed = Vec::new();
        for row in rows {
            if self.new.key().open(&row.aad, &row.sealed).is_ok() {
                continue;
            }
            let Ok(plain) = self.core.keys.master().open(&row.aad, &row.sealed) else {
                tracing::error!(row = ?row.name, "neither master key opens a row");
                self.done.unreadable += 1;
                continue;
            };
            let sealed = self.new.key().seal(&row.aad, &plain);
            resealed.push((row.clone(), sealed.map_err(Error::internal)?));
        }
        Ok(resealed)
    }

    /// Removes the copies of keys that the old master key wraps.
    async fn clear(&self) -> Result<()> {
        match self.core.blobs.objects() {
            Some(objects) => {
                let held = self.core.keys.master();
                copies::clear(objects, held, &self.new).await
            }
            None => Ok(()),
        }
    }

    async fn enter_after(&mut self, kind: Kind) -> Result<bool> {
        let next = Kind::ALL.into_iter().skip_while(|of| *of != kind).nth(1);
        if let Some(next) = next {
            self.at = Some((next, Name::default()));
            return Ok(true);
        }
        let (core, new) = (self.core, &self.new);
        if let Some(objects) = core.blobs.objects() {
            let held = core.keys.master();
            self.done.unreadable += copies::exchange(objects, held, new).await?;
        }
        let (check, now) = (self.check, KeyCheck::of(self.new.check_value()));
        self.core
            .meta
            .write(Durability::Durable, move |tx| {
                // Another process may have ended it.
                check.replace(tx, now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.clear().await?;
        Ok(false)
    }
}

/// An exchange that may go on.
struct Begun {
    check: KeyCheck,
    /// How many rows there are.
    total: i64,
    resumed: bool,
}

/// Begins it in the store; `again` says that there is something to do where it is under the new key already.
fn begin(tx: &mut dyn Tx, new: [u8; 32], again: bool) -> Result<Option<Begun>, NotExchanged> {
    let now = KeyCheck::get(tx)?.ok_or(Refused::MasterKey)?;
    let exchange = KeyCheck {
        to: Some(new),
        ..now
    };
    let check = match now.to {
        None if now.from == new && !again => return Ok(None),
        None if now.from == new => now,
        // Waits for whoever is about to seal something under the old key.
        None => {
            if !now.replace(tx, exchange)? {
                return Err(Error::Unavailable.into());
            }
            exchange
        }
        Some(to) if to == new => exchange,
        Some(_) => return Err(NotExchanged::Another),
    };
    let mut total = 0;
    for kind in Kind::ALL {
        total += kind.count(tx)?;
    }
    Ok(Some(Begun {
        check,
        total,
        resumed: now.to.is_some(),
    }))
}
