//! `DescribeRepositoryCopies`.

use longshore_types::{account::AccountId, id::CopyId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::repository_copy::{RepositoryCopy, on_source, source, unknown};
use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    operation::Operation,
    page::{self, PageSize},
    table::repository_copy,
};

/// After every id.
const LATEST: [u8; 16] = [0xff; 16];

/// Tells the copies and moves that were begun from a repository's name, the latest first: those under way, and those that ended in
/// the last seven days. The repository may be gone by now.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeRepositoryCopies {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    copy_id: Member<CopyId>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Copies, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRepositoryCopies {
    repository_copies: Vec<RepositoryCopy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for DescribeRepositoryCopies {
    type Output = DescribedRepositoryCopies;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let source = source(scope, &self.registry_id, &self.repository_name)?;
        PageSize::USUAL.check(self.max_results)?;
        if self.copy_id.optional("copyId")?.is_some() {
            page::refuse_with("copyId", self.max_results, self.next_token.as_deref())?;
        }
        Ok(on_source(Longshore::DescribeRepositoryCopies, source))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRepositoryCopies> {
        let source = source(&cx.scope, &self.registry_id, &self.repository_name)?;
        if let Some(id) = self.copy_id.optional("copyId")? {
            let found = cx
                .read(permit.grant(), move |tx, _| {
                    Ok(repository_copy::get(tx, id)?)
                })
                .await?;
            let copy = found.filter(|copy| copy.from == source);
            return Ok(DescribedRepositoryCopies {
                repository_copies: vec![copy.ok_or_else(unknown)?.into()],
                next_token: None,
            });
        }
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = format!(
            "DescribeRepositoryCopies {} {} {}",
            source.registry.account(),
            source.registry.region(),
            source.name
        );
        let tokens = &cx.core.tokens;
        let paging = page::Paging::<CopyId>::read(tokens, list, size, self.next_token.as_deref())?;
        let (before, limit) = (paging.after, paging.limit());
        let mut copies = cx
            .read(permit.grant(), move |tx, _| {
                let before = before.as_ref().map_or(&LATEST, CopyId::as_bytes);
                Ok(repository_copy::page(tx, &source, before, limit)?)
            })
            .await?;
        let next_token = paging.cut(tokens, &mut copies, |copy| copy.id)?;
        Ok(DescribedRepositoryCopies {
            repository_copies: copies.into_iter().map(RepositoryCopy::from).collect(),
            next_token,
        })
    }
}
