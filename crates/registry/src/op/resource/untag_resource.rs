//! `UntagResource`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{
    Nothing, arn,
    tag::{MAX_KEY_CHARACTERS, MAX_TAGS, is_of_length},
};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::{repository, repository_tag},
};

/// Removes tags of a repository; keys that are not there are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UntagResource {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

impl Operation for UntagResource {
    type Output = Nothing;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let keys = self.keys()?;
        let needs = arn::needs(Ecr::UntagResource, scope, self.resource_arn.as_deref())?;
        Ok(needs.with("aws:TagKeys", keys))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Nothing> {
        let (keys, grant) = (self.keys()?.to_vec(), permit.grant());
        cx.change(grant, Durability::Durable, move |tx, grant| {
            let incarnation = grant.repository()?.incarnation;
            repository_tag::remove(tx, incarnation, &keys)?;
            Ok(repository::bump(tx, incarnation)?)
        })
        .await?;
        let row = grant.repository()?;
        cx.core.targets.forget(&row.registry, &row.name);
        Ok(Nothing {})
    }
}

impl UntagResource {
    fn keys(&self) -> Result<&[String]> {
        let arn = arn::read(self.resource_arn.as_deref())?;
        let keys = self.tag_keys.as_deref();
        let keys = keys.ok_or_else(|| Error::invalid("tagKeys", "Member must not be null"))?;
        if keys.len() > MAX_TAGS {
            return Err(Error::TooManyTags(arn.name().clone()));
        }
        if keys.iter().any(|key| !is_of_length(key)) {
            let text = format!("Tag key must have length between 1 and {MAX_KEY_CHARACTERS}");
            return Err(Error::InvalidTagParameter(text));
        }
        if keys.iter().any(|key| key.chars().any(char::is_control)) {
            let text = "Tag key holds a control character".to_owned();
            return Err(Error::InvalidTagParameter(text));
        }
        Ok(keys)
    }
}
