//! Credentials of a command of the operator, who holds the store and its master key anyway.

use std::sync::{Mutex, PoisonError};

use longshore_types::account::AccountId;

use crate::{
    core::Core,
    error::Result,
    session::{Session, SessionCredentials},
    sts::access_key,
};

/// How long a session lasts, in milliseconds: what is left of one when its command ends is good for nothing soon.
const LIFE: i64 = 60 * 60 * 1000;

/// Sessions of an account's root for as long as a command runs. No row keeps them.
#[derive(Debug)]
pub struct RootSessions {
    account: AccountId,
    current: Mutex<Option<SessionCredentials>>,
}

impl RootSessions {
    /// No session yet.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            current: Mutex::default(),
        }
    }

    /// Credentials that are good for half an hour or more, at most an hour; so a command asks before each use.
    pub fn credentials(&self, core: &Core) -> Result<SessionCredentials> {
        let now = core.meta.now().as_millis();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |it: &&SessionCredentials| it.expiration.as_millis() - now > LIFE / 2;
        if let Some(good) = current.as_ref().filter(is_good) {
            return Ok(good.clone());
        }
        // AWS names the root user's id by its account.
        let root = self.account.as_str().to_owned();
        let key = access_key::of(self.account)?;
        let session = Session::plain(key, root, (now, now + LIFE));
        Ok(current.insert(session.issue(&core.tokens)?).clone())
    }
}
