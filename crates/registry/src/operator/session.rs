//! Credentials that exist only as long as a command of the operator, who holds the store and its master key anyway.

use longshore_types::account::AccountId;

use crate::{
    core::Core,
    error::Result,
    session::{Session, SessionCredentials},
    sts::access_key,
};

/// How long they last, in milliseconds: as long as a large registry may take to be read.
const LIFE: i64 = 14 * 24 * 60 * 60 * 1000;

/// Makes credentials of an account's root. No row keeps them: whoever has them forgets them when the command ends.
pub fn of_root(core: &Core, account: AccountId) -> Result<SessionCredentials> {
    let now = core.meta.now().as_millis();
    // AWS names the root user's id by its account.
    let root = account.as_str().to_owned();
    Session::plain(access_key::of(account)?, root, (now, now + LIFE)).issue(&core.tokens)
}
