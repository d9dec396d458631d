//! `ListTagsForResource`.

use serde::{Deserialize, Serialize};

use super::{arn, tag::Tag};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::repository_tag,
};

/// Tells the tags of a repository.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListTagsForResource {
    resource_arn: Option<String>,
}

/// Tags in order of key.
#[derive(Debug, Serialize)]
pub struct ListedTags {
    tags: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    type Output = ListedTags;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        arn::needs(
            Ecr::ListTagsForResource,
            scope,
            self.resource_arn.as_deref(),
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedTags> {
        let tags = cx
            .read(permit.grant(), |tx, grant| {
                Ok(repository_tag::all(tx, grant.repository()?.incarnation)?)
            })
            .await?;
        Ok(ListedTags {
            tags: tags.into_iter().map(Tag::new).collect(),
        })
    }
}
