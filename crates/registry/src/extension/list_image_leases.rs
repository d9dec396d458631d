//! `ListImageLeases`.

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::ImageLease;
use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::lease,
};

/// Lists the images of a repository that are leased, in pages by digest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListImageLeases {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Leases that have not ended, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedImageLeases {
    leases: Vec<ImageLease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListImageLeases {
    type Output = ListedImageLeases;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Longshore::ListImageLeases,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PageSize::USUAL.check(self.max_results)?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedImageLeases> {
        let grant = permit.grant();
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = format!("ListImageLeases {}", grant.repository()?.incarnation);
        let token = self.next_token.as_deref();
        let after: Option<Digest> = page::resume(&cx.core.tokens, &list, token)?;
        let mut leases = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                let limit = i64::try_from(size + 1).map_err(Error::internal)?;
                let after = after.map(|digest| digest.to_key()).unwrap_or_default();
                Ok(lease::page(tx, incarnation, &after, limit)?)
            })
            .await?;
        let more = leases.len() > size;
        leases.truncate(size);
        let last = leases.last().filter(|_| more).map(|(digest, _)| digest);
        let next_token = last.map(|last| page::next_token(&cx.core.tokens, &list, last));
        Ok(ListedImageLeases {
            next_token: next_token.transpose()?,
            leases: leases.into_iter().map(ImageLease::from).collect(),
        })
    }
}
