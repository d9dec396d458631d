//! Users, groups and roles, named by an input.

use longshore_store::meta::Tx;
use longshore_types::account::AccountId;

pub use crate::table::identity::IdentityKind;
use crate::{
    authz::{Iam, Need, Needs, Renamed, Resource},
    cx::Scope,
    error::{Error, Fault, Result},
    table::identity::{self, Identity},
};

/// `action` on what an input names.
pub(crate) fn on(action: Iam, scope: &Scope, kind: IdentityKind, name: &str) -> Needs {
    let account = scope.registry.account();
    let name = name.to_owned();
    Needs::one(
        action,
        Resource::Identity {
            account,
            kind,
            name,
        },
    )
}

/// `action` on what is to get another name or path, as it is and as it will be.
pub(crate) fn to_rename(action: Iam, scope: &Scope, renamed: Renamed) -> Needs {
    let account = scope.registry.account();
    let Renamed { kind, name, .. } = &renamed;
    let now = Resource::Identity {
        account,
        kind: *kind,
        name: name.clone(),
    };
    let then = Resource::Renamed(account, renamed);
    Needs::all(vec![Need::new(action, now), Need::new(action, then)])
}

/// `action` on all of the caller's account that has that path: what lists are allowed on.
pub(crate) fn on_path(action: Iam, scope: &Scope, kind: IdentityKind, prefix: &str) -> Needs {
    let account = scope.registry.account();
    let arn = kind.arn(account, prefix, "");
    Needs::one(action, Resource::Account { account, arn })
}

/// Returns what an input names; fails with IAM's text when it is not there.
pub(crate) fn named(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
) -> Result<Identity> {
    identity::named(tx, account, kind, name)?.ok_or_else(|| not_found(kind, name))
}

/// The error of a name that nothing has.
pub(crate) fn not_found(kind: IdentityKind, name: &str) -> Error {
    Fault::NoSuchEntity.because(format!(
        "The {} with name {name} cannot be found.",
        kind.as_str()
    ))
}
