//! The policies of a simulation, and how its answer calls them.

use std::sync::Arc;

use longshore_policy::{Kind, Policy, PolicySet};
use longshore_store::meta::Tx;

use super::position::{self, Position};
use crate::{
    error::{Error, Result},
    iam::{identity::IdentityKind, managed},
    table::{attachment, identity::Identity, inline_policy, managed_policy},
};

/// A policy with its name and sort in the answer.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) sort: &'static str,
    /// Where its statements stand.
    pub(super) places: Vec<(Position, Position)>,
    document: String,
}

impl Source {
    fn new(id: String, sort: &'static str, document: String) -> Self {
        Self {
            id,
            sort,
            places: position::of_statements(&document),
            document,
        }
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> usize {
        self.document.len()
    }

    /// The policies that an input has in `list`.
    pub(super) fn of_input(name: &str, list: Option<&Vec<String>>) -> Vec<Self> {
        let source = |(idx, document): (usize, &String)| {
            Self::new(format!("{name}.{}", idx + 1), "none", document.clone())
        };
        list.into_iter().flatten().enumerate().map(source).collect()
    }

    /// The policy of a resource that an input has.
    pub(super) fn of_resource(document: &str) -> Self {
        Self::new("ResourcePolicy".to_owned(), "resource", document.to_owned())
    }

    /// The managed policy of that ARN, if it is there.
    pub(super) fn managed(tx: &mut dyn Tx, arn: &str) -> Result<Option<Self>> {
        if let Some(policy) = managed::find(arn) {
            let (name, document) = (policy.name.to_owned(), policy.document.to_owned());
            return Ok(Some(Self::new(name, "aws-managed", document)));
        }
        let Some(policy) = managed_policy::by_arn(tx, arn)? else {
            return Ok(None);
        };
        let version = managed_policy::version(tx, arn, policy.default_version)?;
        Ok(version.map(|version| Self::new(policy.name, "user-managed", version.document)))
    }

    /// The policies that a user, group or role has itself.
    pub(super) fn of_identity(
        tx: &mut dyn Tx,
        kind: IdentityKind,
        identity: &Identity,
    ) -> Result<Vec<Self>> {
        let sort = kind.as_str();
        let inline = inline_policy::all(tx, &identity.id)?;
        let mut sources: Vec<Self> = inline
            .into_iter()
            .map(|(name, document)| {
                Self::new(format!("{sort}_{}_{name}", identity.name), sort, document)
            })
            .collect();
        for arn in attachment::of(tx, &identity.id)? {
            sources.extend(Self::managed(tx, &arn)?);
        }
        Ok(sources)
    }
}

/// Policies that count as one. Each is called by its number.
#[derive(Debug)]
pub(super) struct Sources {
    list: Vec<Source>,
    pub(super) set: PolicySet,
}

impl Sources {
    /// Compiles policies that were checked before.
    pub(super) fn new(list: Vec<Source>) -> Result<Self> {
        let compile = |(idx, source): (usize, &Source)| {
            let policy = Policy::parse(&source.document, Kind::Identity);
            let policy = policy.map_err(Error::internal)?;
            Ok((idx.to_string().into(), Arc::new(policy)))
        };
        let policies = list.iter().enumerate().map(compile);
        let policies = policies.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            set: PolicySet::new(policies),
            list,
        })
    }

    /// How many bytes the policies have.
    pub(super) fn length(&self) -> usize {
        self.list.iter().map(Source::length).sum()
    }

    /// How many statements there are.
    pub(super) fn n_statements(&self) -> usize {
        self.list.iter().map(|source| source.places.len()).sum()
    }

    /// The policy that a decision calls by that name.
    pub(super) fn named(&self, name: &str) -> Option<&Source> {
        let idx: usize = name.parse().ok()?;
        self.list.get(idx)
    }
}
