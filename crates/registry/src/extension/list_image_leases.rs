//! `ListImageLeases`.

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::ImageLease;
use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
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
        let tokens = &cx.core.tokens;
        let paging = page::Paging::<Digest>::read(tokens, list, size, self.next_token.as_deref())?;
        let after = paging
            .after
            .map(|digest| digest.to_key())
            .unwrap_or_default();
        let limit = paging.limit();
        let mut leases = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                Ok(lease::page(tx, incarnation, &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(tokens, &mut leases, |(digest, _)| *digest)?;
        Ok(ListedImageLeases {
            next_token,
            leases: leases.into_iter().map(ImageLease::from).collect(),
        })
    }
}
