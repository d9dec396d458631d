//! Users, groups and roles, named by an input.

use longshore_store::meta::Tx;
use longshore_types::account::AccountId;

use super::member;
pub use crate::table::identity::IdentityKind;
use crate::{
    authz::{Iam, Need, Needs, Renamed, Resource},
    cx::Scope,
    error::{Error, Fault, Result},
    table::identity::{self, Identity},
};

/// The path of roles that services make for themselves, which only they change.
pub(crate) const SERVICE_LINKED: &str = "/aws-service-role/";

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

/// Returns what an input wants to change: a user, a group, or a role that is not a service's own.
pub(crate) fn changeable(
    tx: &mut dyn Tx,
    account: AccountId,
    kind: IdentityKind,
    name: &str,
) -> Result<Identity> {
    let identity = named(tx, account, kind, name)?;
    if kind == IdentityKind::Role && identity.path.starts_with(SERVICE_LINKED) {
        return Err(Fault::UnmodifiableEntity.because(format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        )));
    }
    Ok(identity)
}

/// Checks the name of an identity that is to be found. A user may be called by more than it can be made with.
pub(crate) fn check_name(kind: IdentityKind, name: &str) -> Result<()> {
    match kind {
        IdentityKind::Group => member::name("groupName", name, member::MAX_NAME),
        IdentityKind::Role => member::name("roleName", name, member::MAX_PRINCIPAL_NAME),
        IdentityKind::User => member::name("userName", name, member::MAX_NAME),
    }
}
