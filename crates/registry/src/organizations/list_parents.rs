//! `ListParents`.

use serde::{Deserialize, Serialize};

use super::{check_management, member::account_id, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    operation::Operation,
    table::organization,
};

/// Tells what an account is directly under, which is always the root: there are no units.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListParents {
    child_id: String,
}

/// The one parent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedParents {
    parents: [Parent; 1],
}

/// What an account is under.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parent {
    id: String,
    r#type: &'static str,
}

impl Operation for ListParents {
    type Output = ListedParents;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        account_id(&self.child_id)?;
        Ok(on(Organizations::ListParents, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedParents> {
        check_management(cx)?;
        let id = account_id(&self.child_id)?;
        let found = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::account(tx, id)?)
            })
            .await?;
        found.ok_or_else(|| {
            Fault::ChildNotFound.because(
                "We can't find an organizational unit (OU) or Amazon Web Services account with the ChildId that you specified.",
            )
        })?;
        Ok(ListedParents {
            parents: [Parent {
                id: cx.core.organization.root.clone(),
                r#type: "ROOT",
            }],
        })
    }
}
