//! First start: store id, master key check, the first account and its administrator. Safe to run at every start.

use std::fmt::Write as _;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use longshore_store::{
    crypto::{self, MasterKeys},
    meta::{Durability, Metadata, Tx},
};
use longshore_types::{account::AccountId, arn::PrincipalArn};

/// The key of the first administrator.
pub use crate::secret::AccessKeyPair as AdministratorKey;
use crate::{
    error::{Error, Result},
    keys::{self, KeyCheck, Sealed},
    table::{doomed, principal, segment, setting},
};

const STORE_ID: &str = "store id";
const FIRST_ACCOUNT: &str = "first account";

/// Why a store does not open with this master key.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The store was made with another master key.
    #[error("the master key is not the one this store was made with")]
    MasterKey,
    /// The master key is being exchanged for another, and one of the two is not given.
    #[error(
        "the master key is being exchanged by `longshore rekey`, so both keys are needed: give the other one with --second-master-key-file or LONGSHORE_SECOND_MASTER_KEY"
    )]
    SecondMasterKey,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<longshore_store::meta::Error> for Refused {
    fn from(error: longshore_store::meta::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Prepares the store. Returns whether `administrator` was made: its key is good then, and only then.
pub async fn bootstrap(
    meta: &Metadata,
    master: &MasterKeys,
    account: AccountId,
    administrator: &AdministratorKey,
) -> Result<bool, Refused> {
    let first = master.first().ok_or(Refused::MasterKey)?.check_value();
    check(meta, master).await?;
    let store_id = crypto::random::<16>().map_err(Error::internal)?;
    let (id, secret) = (&administrator.id, &administrator.secret);
    let sealed = keys::seal_secret(master, meta, id, secret).await?;
    let key_id = administrator.id.clone();
    meta.write(Durability::Durable, move |tx| {
        setting::insert(tx, STORE_ID, &store_id)?;
        KeyCheck::of(first).insert(tx)?;
        let made = create_account(tx, account, &key_id, &sealed)?;
        if setting::get(tx, FIRST_ACCOUNT)?.is_none() {
            let first = principal::oldest_account(tx)?.unwrap_or_default();
            setting::insert(tx, FIRST_ACCOUNT, first.as_bytes())?;
        }
        Ok(made)
    })
    .await
}

/// Gives metadata that has no store id yet the id of a store whose metadata is lost; fails if it has one.
pub async fn adopt(meta: &Metadata, store_id: &str) -> Result<(), Error> {
    let id = unhex(store_id).ok_or_else(|| corrupt("the mark of the blobs is no store's id"))?;
    let adopted = meta.write(Durability::Durable, move |tx| {
        Ok::<_, Error>(
            setting::insert(tx, STORE_ID, &id)?
                || setting::get(tx, STORE_ID)?.as_ref() == Some(&id),
        )
    });
    if adopted.await? {
        Ok(())
    } else {
        Err(corrupt("the metadata is that of another store").into())
    }
}

/// Fails unless the store has no master key yet, or `master` holds all that it needs.
pub async fn check(meta: &Metadata, master: &MasterKeys) -> Result<(), Refused> {
    let Some(check) = meta.query(|tx| KeyCheck::get(tx)).await? else {
        return Ok(());
    };
    if check.is_met_by(master) {
        Ok(())
    } else if check.to.is_some() {
        Err(Refused::SecondMasterKey)
    } else {
        Err(Refused::MasterKey)
    }
}

/// What the files and the operator of a store must agree with.
#[derive(Debug)]
pub struct Identity {
    /// The store's id, in hexadecimal.
    pub store_id: String,
    /// The account that the first start made.
    pub first_account: AccountId,
    /// Whether the metadata names any file, be it one that is to go.
    pub has_files: bool,
    /// Whether it names any file in the archive store.
    pub has_archived_files: bool,
}

/// Returns what the store is; it must have been bootstrapped.
pub async fn identity(meta: &Metadata) -> Result<Identity, Error> {
    meta.read(|tx| {
        let id = setting::get(tx, STORE_ID)?.ok_or_else(|| corrupt("the store has no id"))?;
        Ok(Identity {
            store_id: hex(&id),
            first_account: first_account(tx)?,
            // What is doomed counts, too: it would be forgotten where it is not.
            has_files: segment::any(tx)? || doomed::any(tx)?,
            has_archived_files: segment::any_archived(tx)? || doomed::any_archived(tx)?,
        })
    })
    .await
}

/// Returns the account that the first start made.
pub(crate) fn first_account(tx: &mut dyn Tx) -> Result<AccountId> {
    let first = setting::get(tx, FIRST_ACCOUNT)?
        .and_then(|first| String::from_utf8(first).ok()?.parse().ok());
    Ok(first.ok_or_else(|| corrupt("the store has no first account"))?)
}

fn corrupt(what: &str) -> longshore_store::meta::Error {
    longshore_store::meta::Error::corrupt(what)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Whether the store has exactly this key, so that a start that was cut short can be told from one that never was.
pub async fn has_key(
    meta: &Metadata,
    master: &MasterKeys,
    administrator: &AdministratorKey,
) -> Result<bool, Refused> {
    let id = administrator.id.clone();
    let sealed = meta.query(move |tx| principal::secret(tx, &id)).await?;
    let Some(sealed) = sealed else {
        return Ok(false);
    };
    // A secret that does not open was sealed under another master key.
    let secret = keys::open_secret_with(master, &administrator.id, &sealed);
    Ok(secret.is_ok_and(|secret| {
        verify_slices_are_equal(secret.as_bytes(), administrator.secret.as_bytes()).is_ok()
    }))
}

/// Only the first start makes an account: a store that has any keeps what it has.
fn create_account(
    tx: &mut dyn Tx,
    account: AccountId,
    key_id: &str,
    sealed: &Sealed,
) -> Result<bool> {
    if principal::any_account(tx)? {
        return Ok(false);
    }
    principal::insert_account(tx, account)?;
    // AWS names the root user's id by its account.
    principal::insert(tx, account.as_str(), account, &PrincipalArn::root(account))?;
    let sealed = sealed.prove(tx)?;
    principal::insert_key(tx, key_id, account.as_str(), sealed)?;
    Ok(true)
}
