//! Compiled policy documents by their text, so that a change of one policy compiles that one alone.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use longshore_policy::{Kind, Policy, PolicySet};
use lru::LruCache;

use crate::{
    error::{Error, Result},
    iam::managed,
    session::{Session, SessionKind},
    table::principal::NamedDocument,
};

const CACHED: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");

/// Recently compiled documents, by the SHA-256 of their texts.
pub(super) struct Documents {
    compiled: Mutex<LruCache<[u8; 32], Arc<Policy>>>,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            compiled: Mutex::new(LruCache::new(CACHED)),
        }
    }
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Documents(..)")
    }
}

impl Documents {
    /// Compiles policies, of which AWS's own come as their ARN alone. One that there is not grants nothing.
    pub(super) fn set(
        &self,
        documents: impl IntoIterator<Item = NamedDocument>,
    ) -> Result<Arc<PolicySet>> {
        let mut policies = Vec::new();
        for (name, document) in documents {
            let text = document.as_deref().or_else(|| managed::document(&name));
            if let Some(text) = text {
                policies.push((name.into(), self.compile(text, Kind::Identity)?));
            }
        }
        Ok(Arc::new(PolicySet::new(policies)))
    }

    /// What allows everything.
    pub(super) fn everything(&self) -> Result<Arc<PolicySet>> {
        const EVERYTHING: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        let policy = self.compile(EVERYTHING, Kind::Identity)?;
        Ok(Arc::new(PolicySet::new([("".into(), policy)])))
    }

    /// Compiles what a session was made with; `customers` are those of its managed policies that have a row. A managed
    /// policy that is gone grants nothing any more. Without any policy the session is not bounded, and a federated user
    /// may do nothing.
    pub(super) fn of_session(
        &self,
        session: &Session,
        customers: Vec<NamedDocument>,
    ) -> Result<Option<Arc<PolicySet>>> {
        let has_none = session.policy.is_none() && session.policy_arns.is_empty();
        if has_none && session.kind != SessionKind::FederatedUser {
            return Ok(None);
        }
        let aws = session.policy_arns.iter().filter_map(|arn| {
            let document = managed::document(arn)?;
            Some((arn.clone(), Some(document.to_owned())))
        });
        let mut policies = Vec::new();
        for (name, document) in customers.into_iter().chain(aws) {
            if let Some(text) = document {
                policies.push((name.into(), self.compile(&text, Kind::Identity)?));
            }
        }
        if let Some(text) = &session.policy {
            policies.push(("".into(), self.compile(text, Kind::Session)?));
        }
        Ok(Some(Arc::new(PolicySet::new(policies))))
    }

    /// A stored policy that cannot be read denies by failing: nobody knows what it would have denied.
    fn compile(&self, text: &str, kind: Kind) -> Result<Arc<Policy>> {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        if let Some(policy) = self.lock().get(&key) {
            return Ok(policy.clone());
        }
        let policy = Arc::new(Policy::parse(text, kind).map_err(Error::internal)?);
        self.lock().put(key, policy.clone());
        Ok(policy)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Arc<Policy>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
