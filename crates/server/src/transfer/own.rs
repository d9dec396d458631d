//! This registry: a running server with somebody's credentials, or a store.
//!
//! A store is served to the command alone: on a port of the loopback interface, by the code that serves everybody, to
//! credentials that end with it. So every rule and every promise holds as for any client, beside a running server too.

use std::sync::Arc;

use anyhow::Context;
use longshore_registry::operator::session;
use longshore_types::account::AccountId;

use crate::{
    config::{Config, OwnArgs},
    oci_client::{Address, Auth, Connections, Credentials, Registry},
    remote::{AwsKey, Remote, ca_bundle},
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
        let root = session::of_root(&beside.core, account)?;
        let key = AwsKey {
            id: root.access_key_id,
            secret: root.secret_access_key,
            session_token: Some(root.session_token),
        };
        let remote = Remote::at(&beside.url, config.region.as_str(), key, None)?;
        Self::reach(remote, Some(beside)).await
    }

    async fn reach(remote: Remote, beside: Option<Beside>) -> anyhow::Result<Self> {
        let authorization = ecr::authorization(&remote).await?;
        let (address, _) = Address::parse(&authorization.proxy_endpoint)?;
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

impl OwnArgs {
    fn names_a_store(&self) -> bool {
        let store = &self.store;
        store.config.is_some()
            || store.data_dir.is_some()
            || store.metadata.is_some()
            || store.blobs.is_some()
            || store.master_key_file.is_some()
    }
}
