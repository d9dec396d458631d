//! `ListImages`.

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, digest::Digest, id::Incarnation, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::{
    filter::{Filter, FilterInput},
    identifier::ImageIdentifier,
    scan::{self, END},
};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::{
        image::{self, TagStatus},
        image_storage::StatusFilter,
        tag,
    },
};

/// Lists images, one entry per tag; an untagged image has one entry by digest alone (`behaviour.md` section 11.3).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListImages {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    next_token: Option<String>,
    max_results: Option<i64>,
    filter: Option<FilterInput>,
}

/// Entries in order of digest and tag, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedImages {
    image_ids: Vec<ImageIdentifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The last entry of a page; an image without a tag counts as having an empty one.
type Key = (Digest, String);

impl Operation for ListImages {
    type Output = ListedImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::ListImages,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PageSize::USUAL.check(self.max_results)?;
        FilterInput::read(self.filter.as_ref())?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedImages> {
        let grant = permit.grant();
        let size = PageSize::USUAL.check(self.max_results)?;
        let filter = FilterInput::read(self.filter.as_ref())?;
        let list = format!("ListImages {} {filter:?}", grant.repository()?.incarnation);
        let after: Option<Key> = page::resume(&cx.core.tokens, &list, self.next_token.as_deref())?;
        let (entries, next) = cx
            .read(grant, move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                read_page(tx, incarnation, after, filter, size)
            })
            .await?;
        let next_token = next
            .map(|next| page::next_token(&cx.core.tokens, &list, &next))
            .transpose()?;
        let entry =
            |(digest, tag): &(Digest, Option<String>)| ImageIdentifier::new(digest, tag.as_deref());
        Ok(ListedImages {
            image_ids: entries.iter().map(entry).collect(),
            next_token,
        })
    }
}

type Entries = Vec<(Digest, Option<String>)>;

fn read_page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: Option<Key>,
    filter: Filter,
    size: usize,
) -> Result<(Entries, Option<Key>)> {
    if filter.tags == TagStatus::Untagged {
        let after = after.map(|(digest, _)| digest);
        let scanned = scan::scan(tx, incarnation, after, filter, size)?;
        let entries = scanned.images.iter().map(|image| (image.digest, None));
        let next = scanned.next.map(|next| (next, String::new()));
        return Ok((entries.collect(), next));
    }
    let limit = i64::try_from(size + 1).map_err(Error::internal)?;
    let (key, name) = match &after {
        Some((digest, name)) => (digest.to_key(), name.as_str()),
        None => (Vec::new(), ""),
    };
    // Every tag of an image that passes is an entry, so only images that do not pass are looked at for nothing.
    let any = Filter {
        tags: TagStatus::Any,
        ..filter
    };
    let until = scan::bound(tx, incarnation, &key, any)?;
    let end = until.map_or_else(|| END.to_owned(), |digest| digest.to_key());
    let range = ((key.as_slice(), name), end.as_slice());
    let entries = match (filter.tags, filter.images) {
        (TagStatus::Tagged, StatusFilter::Any | StatusFilter::Active) => {
            let tagged = tag::page_by_image(tx, incarnation, range, filter.images, limit)?;
            let entry = |(digest, name)| (digest, Some(name));
            tagged.into_iter().map(entry).collect()
        }
        _ => image::page_with_tags(tx, incarnation, range, filter.images, limit)?,
    };
    let (mut entries, next) = cut(entries, size);
    entries.retain(|(_, tag)| filter.tags.takes(tag.is_some()));
    Ok((
        entries,
        next.or(until.map(|until| (until, LAST.to_owned()))),
    ))
}

/// After every tag.
const LAST: &str = "~";

/// Cuts one entry more than asked down to the page.
fn cut(mut entries: Entries, size: usize) -> (Entries, Option<Key>) {
    if entries.len() <= size {
        return (entries, None);
    }
    entries.truncate(size);
    let next = entries.last().cloned();
    let next = next.map(|(digest, tag)| (digest, tag.unwrap_or_default()));
    (entries, next)
}
