//! When access keys and roles were last used. Kept in memory and written now and then by `job::usage`, so that a request
//! writes nothing: what was used in the last moments before a crash is forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use longshore_types::{account::Region, arn::PrincipalKind, time::Timestamp};

use crate::{
    authz::Action,
    cx::Cx,
    principal::{Caller, Credential},
};

/// How long a use waits to be written, so that many of one key are one write. Together with the sweepers' rest it
/// bounds what a crash forgets: about twenty seconds.
pub(crate) const WAIT: Duration = Duration::from_secs(10);
/// How many keys and roles wait at most; past it a use is not recorded.
const WAITING: usize = 65_536;

/// What was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    /// An access key.
    Key,
    /// A role, by its id.
    Role,
}

/// The last use of something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) of: Used,
    pub(crate) at: Timestamp,
    pub(crate) region: Region,
    /// The service, as IAM names it.
    pub(crate) service: &'static str,
}

/// Last uses that are not written yet, by the id of the key or role.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    uses: HashMap<String, Use>,
    /// When the first of them came.
    since: Option<Timestamp>,
}

impl Usage {
    /// Records that the caller of `cx` asked for `action`, allowed or not.
    pub(crate) fn record(&self, cx: &Cx<'_>, action: Action) {
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
        let last = Use {
            of,
            at: cx.core.meta.now(),
            region: cx.scope.registry.region(),
            service: action.service(),
        };
        self.lock().put(id, last);
    }

    /// Takes up to `limit` uses that have waited long enough at `now`.
    pub(crate) fn take(&self, now: Timestamp, limit: usize) -> Vec<(String, Use)> {
        let mut waiting = self.lock();
        if waiting.since.is_none_or(|since| since.plus(WAIT) > now) {
            return Vec::new();
        }
        let ids: Vec<String> = waiting.uses.keys().take(limit).cloned().collect();
        let taken = ids
            .into_iter()
            .filter_map(|id| waiting.uses.remove_entry(&id))
            .collect();
        if waiting.uses.is_empty() {
            waiting.since = None;
        }
        taken
    }

    /// Puts back what could not be written, unless there is a later use by now.
    pub(crate) fn put_back(&self, uses: Vec<(String, Use)>) {
        let mut waiting = self.lock();
        for (id, last) in uses {
            if !waiting.uses.contains_key(&id) {
                waiting.put(&id, last);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, id: &str, last: Use) {
        if let Some(known) = self.uses.get_mut(id) {
            *known = last;
        } else if self.uses.len() < WAITING {
            self.since.get_or_insert(last.at);
            self.uses.insert(id.to_owned(), last);
        }
    }
}
