//! `DescribeRepositoryCreationTemplates`.

use std::collections::BTreeSet;

use longshore_store::meta::Tx;
use longshore_types::{
    account::{AccountId, Registry},
    name::TemplatePrefix,
};
use serde::{Deserialize, Serialize};

use super::description::RepositoryCreationTemplate;
use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, check_length},
    operation::Operation,
    page::{self, PageSize},
    table::creation_template::{self, CreationTemplate},
};

const MAX_PREFIXES: usize = 100;
/// A page ends early once its policies have this many bytes together.
const PAGE_BYTES: usize = 1 << 20;
/// How many templates are read at a time: with the longest policies, about a page.
const AT_ONCE: usize = 20;

/// Tells the templates of a registry in pages by prefix, or those of them that are named.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeRepositoryCreationTemplates {
    prefixes: Option<Vec<Member<TemplatePrefix>>>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Templates, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRepositoryCreationTemplates {
    registry_id: AccountId,
    repository_creation_templates: Vec<RepositoryCreationTemplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for DescribeRepositoryCreationTemplates {
    type Output = DescribedRepositoryCreationTemplates;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.keys()?;
        PageSize::USUAL.check(self.max_results)?;
        Ok(Needs::one(
            Ecr::DescribeRepositoryCreationTemplates,
            Resource::Registry(scope.registry),
        ))
    }

    async fn run(
        self,
        cx: &Cx<'_>,
        permit: Permit<Self>,
    ) -> Result<DescribedRepositoryCreationTemplates> {
        let (grant, keys) = (permit.grant(), self.keys()?);
        let size = PageSize::USUAL.check(self.max_results)?;
        let list = list_of(grant.registry(), keys.as_deref());
        let after = page::resume(&cx.core.tokens, &list, self.next_token.as_deref())?;
        let after: String = after.unwrap_or_default();
        let (templates, last) = cx
            .read(grant, move |tx, grant| {
                let (rows, more) = page(tx, grant.registry(), keys.as_deref(), after, size)?;
                let last = rows.last().filter(|_| more);
                let last = last.map(|row| row.prefix.key().to_owned());
                let told = rows.into_iter();
                let told = told.map(|row| RepositoryCreationTemplate::of(tx, row));
                Ok((told.collect::<Result<Vec<_>>>()?, last))
            })
            .await?;
        Ok(DescribedRepositoryCreationTemplates {
            registry_id: grant.registry().account(),
            repository_creation_templates: templates,
            next_token: last
                .map(|last| page::next_token(&cx.core.tokens, &list, &last))
                .transpose()?,
        })
    }
}

impl DescribeRepositoryCreationTemplates {
    /// The keys of the prefixes, each once and in order, if any are given.
    fn keys(&self) -> Result<Option<Vec<String>>> {
        // The list has no least length: an empty one asks for none in particular.
        let Some(members) = self.prefixes.as_ref().filter(|list| !list.is_empty()) else {
            return Ok(None);
        };
        check_length("prefixes", members.len(), MAX_PREFIXES)?;
        let keys = members.iter().map(|member| {
            let prefix = member.required("prefixes")?;
            Ok(prefix.key().to_owned())
        });
        let keys = keys.collect::<Result<BTreeSet<_>, Error>>()?;
        Ok(Some(keys.into_iter().collect()))
    }
}

/// Up to `size` templates after the key `after`, fewer where their policies are long; and whether there are more.
fn page(
    tx: &mut dyn Tx,
    registry: &Registry,
    keys: Option<&[String]>,
    mut after: String,
    size: usize,
) -> Result<(Vec<CreationTemplate>, bool)> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    loop {
        let wanted = AT_ONCE.min(size - rows.len());
        let limit = i64::try_from(wanted + 1).map_err(Error::internal)?;
        let mut some = creation_template::page(tx, registry, keys, &after, limit)?;
        let more = some.len() > wanted;
        some.truncate(wanted);
        if let Some(last) = some.last() {
            last.prefix.key().clone_into(&mut after);
        }
        bytes += some.iter().map(length).sum::<usize>();
        rows.append(&mut some);
        if !more || rows.len() == size || bytes > PAGE_BYTES {
            return Ok((rows, more));
        }
    }
}

fn length(row: &CreationTemplate) -> usize {
    let policy = row.policy.as_ref().map_or(0, |policy| policy.text.len());
    let lifecycle = row.lifecycle_policy.as_ref().map_or(0, String::len);
    let tags = row.tags.iter().map(|(key, value)| key.len() + value.len());
    policy + lifecycle + tags.sum::<usize>()
}

fn list_of(registry: &Registry, keys: Option<&[String]>) -> String {
    format!(
        "DescribeRepositoryCreationTemplates {} {} {keys:?}",
        registry.account(),
        registry.region()
    )
}
