//! Who asked for a copy, and how: what a later step needs to ask policies again as if the request had just come.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    core::Core,
    cx::{Cx, RequestFacts},
    error::{Error, Result},
    principal::{Caller, Credential, Known},
    token::Holder,
};

/// The caller of a request and what policies may ask about the request.
///
/// A session that asked for a copy may end before the copy does: its role, its policies and what they say are asked until the last
/// step, but the hour at which its credentials end is not that of what they began.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asker {
    holder: Holder,
    /// The access key that signed the request, if one of its own did. What it began ends with it.
    #[serde(default)]
    key: Option<String>,
    client: Option<IpAddr>,
    is_secure: bool,
    user_agent: Option<String>,
    referer: Option<String>,
}

impl Asker {
    /// The asker of `cx`, as text.
    pub(crate) fn of(cx: &Cx<'_>) -> Result<String> {
        let holder = Holder::of(&cx.caller).ok_or(Error::AuthenticationRequired)?;
        let request = &cx.request;
        let asker = Self {
            holder,
            key: match &cx.caller {
                Caller::Known(known) => match &known.credential {
                    Credential::AccessKey(key) => Some(key.clone()),
                    Credential::Principal(_) | Credential::Session(_) => None,
                },
                Caller::Anonymous => None,
            },
            client: request.client,
            is_secure: request.is_secure,
            user_agent: request.user_agent.map(str::to_owned),
            referer: request.referer.map(str::to_owned),
        };
        serde_json::to_string(&asker).map_err(Error::internal)
    }

    /// Reads what [`Self::of`] wrote.
    pub(crate) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(Error::internal)
    }

    /// The principal as it is now; fails when it is gone, or the key is.
    pub(crate) async fn known(&self, core: &Core) -> Result<Arc<Known>> {
        let known = match &self.key {
            Some(key) => {
                let found = core.principals.access_key(&core.meta, &core.keys, key);
                found.await?.map(|key| key.known)
            }
            None => self.holder.known(core).await?,
        };
        known.ok_or(Error::UnrecognizedClient)
    }

    /// How the request came.
    pub(crate) fn request(&self) -> RequestFacts<'_> {
        RequestFacts {
            client: self.client,
            is_secure: self.is_secure,
            user_agent: self.user_agent.as_deref(),
            referer: self.referer.as_deref(),
        }
    }
}
