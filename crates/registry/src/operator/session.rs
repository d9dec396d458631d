//! Credentials that exist only as long as a command of the operator, who holds the store and its master key anyway.

use longshore_types::account::AccountId;

use crate::{
    core::Core,
    error::Result,
    session::{Session, SessionCredentials, SessionKind},
    sts::access_key,
};

/// How long they last, in milliseconds: as long as a large registry may take to be read.
const LIFE: i64 = 14 * 24 * 60 * 60 * 1000;

/// Makes credentials of an account's root. No row keeps them: whoever has them forgets them when the command ends.
pub fn of_root(core: &Core, account: AccountId) -> Result<SessionCredentials> {
    let now = core.meta.now().as_millis();
    let session = Session {
        access_key: access_key::of(account)?,
        // AWS names the root user's id by its account.
        principal: account.as_str().to_owned(),
        kind: SessionKind::SessionToken,
        name: String::new(),
        policy: None,
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive: Vec::new(),
        source_identity: None,
        provider: None,
        issued_at: now,
        expires_at: now + LIFE,
    };
    session.issue(&core.tokens)
}
