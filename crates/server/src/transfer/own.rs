//! This registry: a running server with somebody's credentials, or a store.
//!
//! A store is served to the command alone: on a port of the loopback interface, by the code that serves everybody, to
//! credentials that nobody else has, and that end within an hour of it. So every rule and every promise holds as for any
//! client, beside a running server too, and whoever finds the port is a stranger there.

use std::sync::Arc;

use anyhow::Context;
use longshore_registry::{Core, operator::session::RootSessions};
use longshore_types::account::AccountId;

use crate::{
    config::{Config, OwnArgs},
    oci_client::{Auth, Connections, Credentials, Registry},
    remote::{AwsKey, Keys, Remote, ca_bundle},
    serve::{self, Beside},
    transfer::{
        ecr,
        registry::{Lists, RegistrySource, RegistryTarget},
    },
};

/// The registry that a command works on.
#[derive(Debug)]
pub(super) struct Own {
    remote: Remote,
    registry: Arc<Registry>,
    beside: Option<Beside>,
}

impl Own {
    /// Finds the registry: the store, if a flag says where it is, else the server that the environment names, else the
    /// store in the usual place.
    pub(super) async fn open(args: &OwnArgs) -> anyhow::Result<Self> {
        if !args.names_a_store() && Remote::is_in_env() {
            let remote = Remote::from_env()?;
            return Self::reach(remote, None).await;
        }
        let mut serve = args.store.serve_args();
        serve.region.clone_from(&args.region);
        let config = Config::from_args(serve)?;
        let beside = serve::beside(&config)
            .await
            .context("the store cannot be opened")?;
        let account = match &args.account {
            Some(id) => id
                .parse::<AccountId>()
                .context("`--account` is not twelve digits")?,
            None => beside.core.first_registry().account(),
        };
        let keys = Arc::new(RootKeys {
            core: beside.core.clone(),
            sessions: RootSessions::new(account),
        });
        let remote = Remote::with_keys(&beside.url, config.region.as_str(), keys, None)?;
        Self::reach(remote, Some(beside)).await
    }

    async fn reach(remote: Remote, beside: Option<Beside>) -> anyhow::Result<Self> {
        let address = ecr::address(&remote).await?;
        let ca_file = ca_bundle().filter(|_| beside.is_none());
        let connections = Connections::new(ca_file.as_deref())?;
        let auth = Auth::new(Credentials::Aws(Box::new(remote.clone())));
        Ok(Self {
            registry: Arc::new(Registry::new(address, connections, auth)),
            remote,
            beside,
        })
    }

    /// The registry as a source; archived images are told as lost if they are wanted.
    pub(super) fn source(&self, archived: bool) -> RegistrySource {
        RegistrySource {
            registry: self.registry.clone(),
            lists: Lists::Api {
                remote: Box::new(self.remote.clone()),
                archived,
            },
        }
    }

    /// The registry as a target.
    pub(super) fn target(&self) -> RegistryTarget {
        RegistryTarget::new(self.registry.clone(), self.remote.clone())
    }

    /// Ends what was begun for the command.
    pub(super) async fn close(self) {
        if let Some(beside) = self.beside {
            beside.stop().await;
        }
    }
}

/// Keys of the root of a store's account.
#[derive(Debug)]
struct RootKeys {
    core: Arc<Core>,
    sessions: RootSessions,
}

impl Keys for RootKeys {
    fn key(&self) -> anyhow::Result<AwsKey> {
        let root = self.sessions.credentials(&self.core)?;
        Ok(AwsKey {
            id: root.access_key_id,
            secret: root.secret_access_key,
            session_token: Some(root.session_token),
        })
    }
}

impl OwnArgs {
    fn names_a_store(&self) -> bool {
        let store = &self.store.flags;
        store.config.is_some()
            || store.data_dir.is_some()
            || store.metadata.is_some()
            || store.blobs.is_some()
            || store.master_key_file.is_some()
    }
}
