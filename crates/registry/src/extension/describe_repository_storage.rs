//! `DescribeRepositoryStorage`.

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Grant, Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::on_repository,
    operation::Operation,
    table::link,
};

/// How many blobs one step looks at.
const PER_STEP: i64 = 5000;

/// Tells how many bytes of a repository lie where: each of its blobs once, one that it shares with others in each of them.
///
/// It adds them up when it is asked, in steps of 5,000 blobs, so that nothing is kept for it; what changes meanwhile is in
/// the sums or not.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeRepositoryStorage {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// What lies where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRepositoryStorage {
    registry_id: AccountId,
    repository_name: RepositoryName,
    storage: [Stored; 2],
}

/// What lies in one place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    storage_class: &'static str,
    blob_count: i64,
    size_in_bytes: i64,
}

impl Stored {
    fn none(storage_class: &'static str) -> Self {
        Self {
            storage_class,
            blob_count: 0,
            size_in_bytes: 0,
        }
    }

    fn add(&mut self, bytes: i64) {
        self.blob_count += 1;
        self.size_in_bytes += bytes;
    }
}

impl Operation for DescribeRepositoryStorage {
    type Output = DescribedRepositoryStorage;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Longshore::DescribeRepositoryStorage,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRepositoryStorage> {
        let grant = permit.grant();
        let (mut standard, mut archive) = (Stored::none("STANDARD"), Stored::none("ARCHIVE"));
        let mut after = Vec::new();
        loop {
            let blobs = step(cx, grant, after).await?;
            for (_, bytes, is_archived) in &blobs {
                let place = if *is_archived {
                    &mut archive
                } else {
                    &mut standard
                };
                place.add(*bytes);
            }
            let is_last = i64::try_from(blobs.len()) != Ok(PER_STEP);
            match blobs.last() {
                Some((last, ..)) if !is_last => after = last.to_key(),
                _ => break,
            }
        }
        let repository = grant.repository()?;
        Ok(DescribedRepositoryStorage {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            storage: [standard, archive],
        })
    }
}

async fn step(cx: &Cx<'_>, grant: &Grant, after: Vec<u8>) -> Result<Vec<(Digest, i64, bool)>> {
    cx.read(grant, move |tx, grant| {
        let incarnation = grant.repository()?.incarnation;
        Ok(link::sizes(tx, incarnation, &after, PER_STEP)?)
    })
    .await
}
