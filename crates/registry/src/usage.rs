//! When access keys and roles were last used.

use longshore_types::{account::Region, arn::PrincipalKind, time::Timestamp};

use crate::{
    authz::Action,
    cx::Cx,
    deferred::Deferred,
    principal::{Caller, Credential},
};

/// Last uses that are not written yet, by the id of the key or role.
pub(crate) type Usage = Deferred<String, Use>;

/// What was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    /// An access key.
    Key,
    /// A role, by its id.
    Role,
}

/// The last use of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) of: Used,
    pub(crate) at: Timestamp,
    pub(crate) region: Region,
    /// The service, as IAM names it.
    pub(crate) service: &'static str,
}

/// Records that the caller of `cx` asked for `action`, allowed or not.
pub(crate) fn record(cx: &Cx<'_>, action: Action) {
    let Caller::Known(known) = &cx.caller else {
        return;
    };
    let (of, id) = match &known.credential {
        Credential::AccessKey(id) => (Used::Key, id),
        Credential::Session(_) | Credential::Principal(_) => match known.kind {
            PrincipalKind::Role => (Used::Role, &known.id),
            _ => return,
        },
    };
    let at = cx.core.meta.now();
    // A public registry is in none: what is told is where this server is.
    let region = match cx.scope.registry.region() {
        region if region.is_none() => cx.core.first_registry().region(),
        region => region,
    };
    let last = Use {
        of,
        at,
        region,
        service: action.service(),
    };
    cx.core.usage.keep(id.as_str(), last, at);
}
