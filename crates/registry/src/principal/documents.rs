//! Compiled policy documents by their text, so that a change of one policy compiles that one alone, and sets of them, so
//! that all sessions of a role have one.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256};
use longshore_policy::{Kind, Policy, PolicySet};

use crate::{
    cache::Cache,
    error::{Error, Result},
    iam::managed,
    session::{Session, SessionKind},
    table::principal::NamedDocument,
};

const CACHED: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");
/// How many bytes of text are remembered compiled, and how many as sets.
const CACHED_BYTES: usize = 4 << 20;

/// Policies that count as one, and how long their texts are together.
pub(super) type Weighed = (Arc<PolicySet>, usize);

/// A policy with its name: an ARN, or an inline name.
struct Named<'t> {
    name: String,
    text: &'t str,
    kind: Kind,
}

type Hash = [u8; 32];

/// Recently compiled documents and sets of them, by the SHA-256 of all that they are made of.
pub(super) struct Documents {
    compiled: Mutex<Cache<Hash, Arc<Policy>>>,
    sets: Mutex<Cache<Hash, Arc<PolicySet>>>,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            compiled: Mutex::new(Cache::new(CACHED, CACHED_BYTES)),
            sets: Mutex::new(Cache::new(CACHED, CACHED_BYTES)),
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
    ) -> Result<Weighed> {
        let documents: Vec<NamedDocument> = documents.into_iter().collect();
        self.together(documents.iter().filter_map(of_identity).collect())
    }

    /// What allows everything.
    pub(super) fn everything(&self) -> Result<Weighed> {
        const EVERYTHING: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        self.together(vec![Named {
            name: String::new(),
            text: EVERYTHING,
            kind: Kind::Identity,
        }])
    }

    /// Compiles what a session was made with; `customers` are those of its managed policies that have a row. A managed
    /// policy that is gone grants nothing any more. Without any policy the session is not bounded, and a federated user
    /// may do nothing.
    pub(super) fn of_session(
        &self,
        session: &Session,
        customers: &[NamedDocument],
    ) -> Result<Option<Weighed>> {
        let has_none = session.policy.is_none() && session.policy_arns.is_empty();
        if has_none && session.kind != SessionKind::FederatedUser {
            return Ok(None);
        }
        let aws = session.policy_arns.iter().filter_map(|arn| {
            Some(Named {
                name: arn.clone(),
                text: managed::document(arn)?,
                kind: Kind::Identity,
            })
        });
        let inline = session.policy.iter().map(|text| Named {
            name: String::new(),
            text,
            kind: Kind::Session,
        });
        let customers = customers.iter().filter_map(of_identity);
        self.together(customers.chain(aws).chain(inline).collect())
            .map(Some)
    }

    fn together(&self, documents: Vec<Named<'_>>) -> Result<Weighed> {
        let bytes = documents.iter().map(|document| document.text.len()).sum();
        let parts = documents.iter().flat_map(|document| {
            let Named { name, text, kind } = document;
            [name.as_str(), kind.as_str(), *text]
        });
        let hash = hash(parts);
        if let Some(set) = lock(&self.sets).get(&hash) {
            return Ok((set.clone(), bytes));
        }
        let policies = documents.into_iter().map(|Named { name, text, kind }| {
            let policy = self.compile(text, kind)?;
            Ok((name.into(), policy))
        });
        let set = Arc::new(PolicySet::new(policies.collect::<Result<Vec<_>>>()?));
        lock(&self.sets).put(hash, set.clone(), bytes);
        Ok((set, bytes))
    }

    /// A stored policy that cannot be read denies by failing: nobody knows what it would have denied.
    fn compile(&self, text: &str, kind: Kind) -> Result<Arc<Policy>> {
        let hash = hash([kind.as_str(), text]);
        if let Some(policy) = lock(&self.compiled).get(&hash) {
            return Ok(policy.clone());
        }
        let policy = Arc::new(Policy::parse(text, kind).map_err(Error::internal)?);
        lock(&self.compiled).put(hash, policy.clone(), text.len());
        Ok(policy)
    }
}

/// A stored policy; AWS's own have their text in the program.
fn of_identity((name, document): &NamedDocument) -> Option<Named<'_>> {
    let text = document.as_deref().or_else(|| managed::document(name))?;
    Some(Named {
        name: name.clone(),
        text,
        kind: Kind::Identity,
    })
}

/// The hash of texts, none of which runs into the next.
fn hash<'t>(texts: impl IntoIterator<Item = &'t str>) -> Hash {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&text.len().to_le_bytes());
        context.update(text.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn lock<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
