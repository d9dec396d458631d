//! `CancelRepositoryCopy`.

use longshore_store::meta::Durability;
use longshore_types::{account::AccountId, id::CopyId, name::RepositoryName};
use serde::Deserialize;

use super::repository_copy::{RepositoryCopyAnswer, on_source, source, unknown};
use crate::{
    authz::{Longshore, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    operation::Operation,
    storage::copy as rules,
    table::repository_copy::{self, Phase},
};

/// Ends a copy or move that is under way: the source stays as it is, and nothing of the target remains. One that has ended stays ended
/// as it did.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CancelRepositoryCopy {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    copy_id: Member<CopyId>,
}

impl Operation for CancelRepositoryCopy {
    type Output = RepositoryCopyAnswer;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let source = source(scope, &self.registry_id, &self.repository_name)?;
        self.copy_id.required("copyId")?;
        Ok(on_source(Longshore::CancelRepositoryCopy, source))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryCopyAnswer> {
        let source = source(&cx.scope, &self.registry_id, &self.repository_name)?;
        let id = self.copy_id.required("copyId")?;
        let copy = cx
            .write(permit.grant(), Durability::Durable, move |tx, _| {
                let found = repository_copy::get(tx, id)?;
                let mut copy = found
                    .filter(|copy| copy.from == source)
                    .ok_or_else(unknown)?;
                if repository_copy::claim(tx, &copy)? {
                    rules::end(tx, &mut copy, Phase::Cancelled, None)?;
                }
                Ok(copy)
            })
            .await?;
        Ok(copy.into())
    }
}
