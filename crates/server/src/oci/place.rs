//! Which registry's repository a path under `/v2/` names, and who asks for it there.

use longshore_registry::{Error, oci::Repository, principal::Caller, public::alias};
use longshore_types::{
    account::{Registry, RegistryKind},
    name::RepositoryName,
};

use super::{authenticate::Login, error::Wire};
use crate::{
    app::App,
    host::HostKind,
    origin::Origin,
    route::{Misrouted, Route},
};

/// What every public repository's path begins with on hosts that have private ones, too.
const PUBLIC: &str = "public/";

/// A caller at a registry, and perhaps at one of its repositories.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) caller: Caller,
    pub(super) registry: Registry,
    pub(super) repository: Option<Repository>,
    /// What stands before the repository's name in the path: of a public one, its registry's alias.
    pub(super) prefix: String,
}

impl Place {
    /// Finds what a route names on a host. Whose password is of the other service than that is nobody there.
    pub(super) async fn find(
        app: &App,
        origin: &Origin,
        route: &Route,
        login: Login,
    ) -> Result<Self, Wire> {
        let Some(name) = route.repository() else {
            return Self::of_registry(origin, route, login);
        };
        let Some(public) = public_name(origin.kind, name) else {
            return Ok(Self::private(app, name, login));
        };
        let unknown = || Error::RegistryNotFound(public.to_owned());
        let (alias, name) = public.split_once('/').ok_or_else(unknown)?;
        let (alias, name) = (alias.parse(), name.parse());
        let (alias, name) = (alias.map_err(|_| unknown())?, name.map_err(|_| unknown())?);
        let found = alias::registry_of(&app.core, &alias).await?;
        let registry = found.ok_or_else(|| Error::RegistryNotFound(alias.to_string()))?;
        let before = match origin.kind {
            HostKind::Public => "",
            HostKind::Own | HostKind::Api | HostKind::Private(_) => PUBLIC,
        };
        Ok(Self {
            caller: login.caller_in(RegistryKind::Public),
            registry,
            repository: Some(Repository { registry, name }),
            prefix: format!("{before}{alias}/"),
        })
    }

    fn private(app: &App, name: &RepositoryName, login: Login) -> Self {
        let registry = match login.registry.kind() {
            RegistryKind::Private => login.registry,
            RegistryKind::Public => app.core.first_registry(),
        };
        Self {
            caller: login.caller_in(RegistryKind::Private),
            registry,
            repository: Some(Repository {
                registry,
                name: name.clone(),
            }),
            prefix: String::new(),
        }
    }

    /// There is no catalog of public registries: their names mean nothing without an alias.
    fn of_registry(origin: &Origin, route: &Route, login: Login) -> Result<Self, Wire> {
        let is_public =
            origin.kind == HostKind::Public || login.registry.kind() == RegistryKind::Public;
        if is_public && *route == Route::Catalog {
            return Err(Misrouted::Path.into());
        }
        Ok(Self {
            caller: login.caller,
            registry: login.registry,
            repository: None,
            prefix: String::new(),
        })
    }
}

impl Login {
    /// Who this is in a registry of that kind.
    fn caller_in(self, kind: RegistryKind) -> Caller {
        if self.registry.kind() == kind {
            self.caller
        } else {
            Caller::Anonymous
        }
    }
}

/// `ALIAS/NAME`, if that is what a name means on a host.
fn public_name(kind: HostKind, name: &RepositoryName) -> Option<&str> {
    match kind {
        HostKind::Public => Some(name.as_str()),
        HostKind::Own => name.as_str().strip_prefix(PUBLIC),
        HostKind::Api | HostKind::Private(_) => None,
    }
}

/// The repository of the same registry that a client names beside one whose name has `prefix` before it.
pub(super) fn sibling(kind: HostKind, prefix: &str, text: &str) -> Option<RepositoryName> {
    let name: RepositoryName = text.strip_prefix(prefix)?.parse().ok()?;
    let is_elsewhere = prefix.is_empty() && public_name(kind, &name).is_some();
    (!is_elsewhere).then_some(name)
}
