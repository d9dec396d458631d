//! `ListRoots`.

use serde::{Deserialize, Serialize};

use super::{arn, check_management, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
};

/// Tells of the root that all accounts are under.
#[derive(Clone, Debug, Deserialize)]
pub struct ListRoots {}

/// The one root.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedRoots {
    roots: [Root; 1],
}

/// The root of an organization.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Root {
    id: String,
    arn: String,
    name: &'static str,
    policy_types: [(); 0],
}

impl Operation for ListRoots {
    type Output = ListedRoots;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(on(Organizations::ListRoots, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedRoots> {
        check_management(cx)?;
        cx.read(permit.grant(), |_, _| Ok(())).await?;
        let organization = &cx.core.organization;
        let id = organization.root.clone();
        Ok(ListedRoots {
            roots: [Root {
                arn: arn(cx.core, &format!("root/{}/{id}", organization.id)),
                id,
                name: "Root",
                policy_types: [],
            }],
        })
    }
}
