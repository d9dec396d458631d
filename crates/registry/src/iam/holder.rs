//! Whom an operation is about that may do without a user's name: the caller, even as the root of its account.

use std::sync::Arc;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::PrincipalKind, time::Timestamp};

use super::{
    identity::{self, IdentityKind},
    user::{check_name, named},
};
use crate::{
    authz::{Iam, Needs, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    principal::Known,
    table::identity::{self as identity_row, Identity},
};

/// A user, or the root of an account.
#[derive(Debug)]
pub(crate) enum Holder {
    /// A user.
    User(Identity),
    /// The root, which was made with its account.
    Root {
        /// When it was made.
        created_at: Timestamp,
    },
}

impl Holder {
    /// The principal's id.
    pub(crate) fn id(&self, account: AccountId) -> String {
        match self {
            Self::User(user) => user.id.clone(),
            Self::Root { .. } => account.to_string(),
        }
    }

    /// The user's name; the root has none.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::User(user) => Some(user.name.clone()),
            Self::Root { .. } => None,
        }
    }
}

/// `action` on the user of that name, or on the caller.
pub(crate) fn on(action: Iam, scope: &Scope, name: Option<&str>) -> Result<Needs> {
    let Some(name) = name else {
        return Ok(Needs::one(action, Resource::CallersUser));
    };
    check_name(name)?;
    Ok(identity::on(action, scope, IdentityKind::User, name))
}

/// The principal that calls, for [`find`].
pub(crate) fn caller(cx: &Cx<'_>) -> Option<Arc<Known>> {
    cx.caller.known().cloned()
}

/// Returns the user of that name, or who `caller` is now.
pub(crate) fn find(
    tx: &mut dyn Tx,
    account: AccountId,
    name: Option<&str>,
    caller: Option<&Known>,
) -> Result<Holder> {
    if let Some(name) = name {
        return named(tx, account, name).map(Holder::User);
    }
    let caller = caller.ok_or(Error::AuthenticationRequired)?;
    let row = identity_row::by_id(tx, &caller.id)?.ok_or(Error::UnrecognizedClient)?;
    match caller.kind {
        PrincipalKind::User => Ok(Holder::User(row)),
        PrincipalKind::Root => Ok(Holder::Root {
            created_at: row.created_at,
        }),
        // Nobody else is allowed to name nobody.
        _ => Err(Error::internal("a caller that is no user")),
    }
}
