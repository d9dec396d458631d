//! `TagResource`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{
    Nothing, arn,
    tag::{self, MAX_TAGS, Tag},
};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::{repository, repository_tag},
};

/// Adds tags to a repository; a key that is there gets the new value.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagResource {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

impl Operation for TagResource {
    type Output = Nothing;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let tags = self.tags()?;
        let needs = arn::needs(Ecr::TagResource, scope, self.resource_arn.as_deref())?;
        Ok(tag::asked(needs, &tags))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Nothing> {
        let (tags, grant) = (self.tags()?, permit.grant());
        cx.change(grant, Durability::Durable, move |tx, grant| {
            let repository = grant.repository()?;
            repository_tag::put(tx, repository.incarnation, &tags)?;
            repository::bump(tx, repository.incarnation)?;
            let count = repository_tag::count(tx, repository.incarnation)?;
            if usize::try_from(count).is_ok_and(|count| count <= MAX_TAGS) {
                Ok(())
            } else {
                Err(Error::TooManyTags(repository.name.clone()))
            }
        })
        .await?;
        let row = grant.repository()?;
        cx.core.targets.forget(&row.registry, &row.name);
        Ok(Nothing {})
    }
}

impl TagResource {
    fn tags(&self) -> Result<Vec<(String, String)>> {
        let arn = arn::read(self.resource_arn.as_deref())?;
        let tags = self.tags.as_deref();
        let tags = tags.ok_or_else(|| Error::invalid("tags", "Member must not be null"))?;
        Tag::read_all(tags, arn.name())
    }
}
