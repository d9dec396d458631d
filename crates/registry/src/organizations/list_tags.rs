//! `ListTagsForResource`.

use serde::{Deserialize, Serialize};

use super::{account_arn, check_management, member::account_id, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::tag::Tag,
    operation::Operation,
    table::{identity_tag, organization},
};

/// Tells the tags that an account was made with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsForResource {
    resource_id: String,
}

/// All tags.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedTags {
    tags: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    type Output = ListedTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        account_id(&self.resource_id)?;
        Ok(on(Organizations::ListTagsForResource, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        check_management(cx)?;
        let id = account_id(&self.resource_id)?;
        let arn = account_arn(cx.core, id);
        let tags = cx
            .read(permit.grant(), move |tx, _| {
                organization::account(tx, id)?.ok_or_else(|| {
                    Fault::TargetNotFound.because("You specified a target that doesn't exist.")
                })?;
                Ok::<_, Error>(identity_tag::all(tx, &arn)?)
            })
            .await?;
        Ok(ListedTags {
            tags: Tag::all(tags),
        })
    }
}
