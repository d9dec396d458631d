//! `GetLifecyclePolicyPreview`.

use std::collections::BTreeSet;

use longshore_store::meta::Tx;
use longshore_types::{
    account::AccountId,
    digest::Digest,
    lifecycle::{Action, Class},
    name::RepositoryName,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, check_length},
    op::{
        image::{ImageIdentifier, Lookup, Wanted, refuse_identifier},
        on_repository,
    },
    operation::Operation,
    page::{self, PageSize},
    table::{
        image::TagStatus,
        lifecycle::{
            evaluation::{self, Evaluation, Kind, Phase},
            mark::{self, Mark, State},
        },
    },
};

const MAX_IDS: usize = 100;
const PAGE: PageSize = PageSize {
    default: 100,
    max: 100,
};
/// How many results one page looks at; a filter that passes few of them ends the page early.
const ROWS_PER_PAGE: i64 = 5000;
/// How many tags one page tells; it ends before an image whose tags would be more, unless that is its first.
const TAGS_PER_PAGE: usize = 5000;

/// Tells what the last preview found: about the images named, or all in pages.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetLifecyclePolicyPreview {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
    next_token: Option<String>,
    max_results: Option<i64>,
    filter: Option<PreviewFilter>,
}

/// `LifecyclePolicyPreviewFilter`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PreviewFilter {
    tag_status: Member<TagStatus>,
}

/// A preview: how far it is and, once it is complete, what it found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicyPreview {
    registry_id: AccountId,
    repository_name: RepositoryName,
    lifecycle_policy_text: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    preview_results: Vec<PreviewResult>,
    /// What loses tags: those. ECR has no such member, as it has no such rules.
    #[serde(
        rename = "x-longshore-untaggingResults",
        skip_serializing_if = "Vec::is_empty"
    )]
    untagging_results: Vec<PreviewResult>,
    /// What the policy would act on were it not leased. ECR has no such member.
    #[serde(
        rename = "x-longshore-leasedResults",
        skip_serializing_if = "Vec::is_empty"
    )]
    leased_results: Vec<PreviewResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

/// An image that the policy acts on, or would.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PreviewResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    image_digest: Digest,
    image_pushed_at: Timestamp,
    action: RuleAction,
    /// The rule that applies to the image, or to the subject that it refers to. None does to what a deleted subject left.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_rule_priority: Option<u32>,
    storage_class: &'static str,
}

/// `LifecyclePolicyRuleAction`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleAction {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_storage_class: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    expiring_image_total_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    transitioning_image_total_counts: Option<[TransitioningCount; 1]>,
    /// ECR has no such member.
    #[serde(
        rename = "x-longshore-untaggingImageTotalCount",
        skip_serializing_if = "Option::is_none"
    )]
    untagging_image_total_count: Option<i64>,
}

/// `TransitioningImageTotalCount`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TransitioningCount {
    target_storage_class: &'static str,
    image_total_count: i64,
}

impl Summary {
    fn of(preview: &Evaluation) -> Self {
        let some = |count: i64| (count > 0).then_some(count);
        let (transitioning, untagging) = (preview.transitioning, preview.untagging);
        Self {
            expiring_image_total_count: preview.marks - preview.held - transitioning - untagging,
            transitioning_image_total_counts: some(transitioning).map(|count| {
                [TransitioningCount {
                    target_storage_class: "ARCHIVE",
                    image_total_count: count,
                }]
            }),
            untagging_image_total_count: some(untagging),
        }
    }
}

impl Operation for GetLifecyclePolicyPreview {
    type Output = LifecyclePolicyPreview;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::GetLifecyclePolicyPreview,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PAGE.check(self.max_results)?;
        self.tag_status()?;
        self.wanted()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<LifecyclePolicyPreview> {
        let (wanted, status) = (self.wanted()?, self.tag_status()?);
        let size = PAGE.check(self.max_results)?;
        // A token carries the preview that it continues.
        let list = format!(
            "GetLifecyclePolicyPreview {} {status:?}",
            permit.grant().repository()?.incarnation
        );
        let token = self.next_token.as_deref();
        let after: Option<(String, i64)> = page::resume(&cx.core.tokens, &list, token)?;
        let (mut answer, next) = cx
            .read(permit.grant(), move |tx, grant| {
                let preview = preview(tx, grant)?;
                let id = preview.id.to_string();
                if after.as_ref().is_some_and(|(of, _)| *of != id) {
                    return Err(page::invalid_token());
                }
                let after = after.map_or(0, |(_, place)| place);
                let (results, next) = match wanted {
                    _ if preview.phase != Phase::Complete => (Vec::new(), None),
                    Some(wanted) => (named(tx, &preview, &wanted, status)?, None),
                    None => paged(tx, &preview, after, status, size)?,
                };
                let answer = LifecyclePolicyPreview::of(grant, preview, &results)?;
                Ok((answer, next.map(|place| (id, place))))
            })
            .await?;
        let next = next.map(|next| page::next_token(&cx.core.tokens, &list, &next));
        answer.next_token = next.transpose()?;
        Ok(answer)
    }
}

impl GetLifecyclePolicyPreview {
    fn tag_status(&self) -> Result<TagStatus> {
        let filter = self.filter.as_ref();
        let status = filter.map(|filter| filter.tag_status.optional("filter.tagStatus"));
        Ok(status.transpose()?.flatten().unwrap_or(TagStatus::Any))
    }

    /// The images named, if any are; then there are no pages.
    fn wanted(&self) -> Result<Option<Vec<Wanted>>> {
        let Some(ids) = &self.image_ids else {
            return Ok(None);
        };
        check_length("imageIds", ids.len(), MAX_IDS)?;
        page::refuse_with("imageIds", self.max_results, self.next_token.as_deref())?;
        let wanted = |id: &ImageIdentifier| {
            let refuse = |code| refuse_identifier("imageIds", code);
            id.wanted().map_err(refuse)
        };
        ids.iter().map(wanted).collect::<Result<_>>().map(Some)
    }
}

fn preview(tx: &mut dyn Tx, grant: &Grant) -> Result<Evaluation> {
    let repository = grant.repository()?;
    let preview = evaluation::get(tx, repository.incarnation, Kind::Preview)?;
    preview.ok_or_else(|| Error::LifecyclePolicyPreviewNotFound {
        name: repository.name.clone(),
        account: repository.registry.account(),
    })
}

/// A result, and whether it is [`State::Live`] or [`State::Leased`].
type Found = (State, Mark);

const SHOWN: [State; 2] = [State::Live, State::Leased];

/// The results for those images that are here and have one.
fn named(
    tx: &mut dyn Tx,
    preview: &Evaluation,
    wanted: &[Wanted],
    status: TagStatus,
) -> Result<Vec<Found>> {
    let lookup = Lookup::of(tx, preview.incarnation, wanted.iter())?;
    let found = wanted.iter().filter_map(|wanted| lookup.find(wanted).ok());
    let mut results = Vec::new();
    for image in found.collect::<BTreeSet<Digest>>() {
        for state in SHOWN {
            let result = mark::of_image(tx, preview.id, &image, state)?;
            let result = result.filter(|mark| status.takes(mark.is_tagged()));
            results.extend(result.map(|mark| (state, mark)));
        }
    }
    Ok(results)
}

/// A page of results, and the place after which the next one begins.
fn paged(
    tx: &mut dyn Tx,
    preview: &Evaluation,
    after: i64,
    status: TagStatus,
    size: usize,
) -> Result<(Vec<Found>, Option<i64>)> {
    let until = (after + ROWS_PER_PAGE).min(preview.marks);
    let limit = i64::try_from(size + 1).map_err(Error::internal)?;
    let mut results = Vec::new();
    for state in SHOWN {
        let marks = mark::results(tx, preview.id, (state, after, until), status, limit)?;
        results.extend(marks.into_iter().map(|mark| (state, mark)));
    }
    results.sort_by_key(|(_, mark)| mark.place);
    let fitting = fitting(&results)?.min(size);
    if results.len() > fitting {
        results.truncate(fitting);
        let last = results.last().map(|(_, mark)| mark.place);
        return Ok((results, last));
    }
    Ok((results, (until < preview.marks).then_some(until)))
}

/// How many results one page can tell with all their tags.
fn fitting(results: &[Found]) -> Result<usize> {
    let mut n_tags = 0;
    for (idx, (_, mark)) in results.iter().enumerate() {
        n_tags += mark.tags()?.len();
        if n_tags > TAGS_PER_PAGE && idx > 0 {
            return Ok(idx);
        }
    }
    Ok(results.len())
}

impl LifecyclePolicyPreview {
    fn of(grant: &Grant, preview: Evaluation, results: &[Found]) -> Result<Self> {
        let repository = grant.repository()?;
        let of = |wanted: fn(&Found) -> bool| {
            let results = results.iter().filter(move |found| wanted(found));
            results
                .map(|(_, mark)| PreviewResult::of(mark))
                .collect::<Result<Vec<_>>>()
        };
        let summary = Summary::of(&preview);
        Ok(Self {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            lifecycle_policy_text: preview.policy,
            status: match preview.phase {
                Phase::Select | Phase::Follow | Phase::Hold | Phase::Act => "IN_PROGRESS",
                Phase::Complete => "COMPLETE",
                Phase::Expired => "EXPIRED",
                Phase::Failed => "FAILED",
            },
            next_token: None,
            preview_results: of(|(state, mark)| {
                *state == State::Live && mark.action != Action::Untag
            })?,
            untagging_results: of(|(state, mark)| {
                *state == State::Live && mark.action == Action::Untag
            })?,
            leased_results: of(|(state, _)| *state == State::Leased)?,
            summary: (preview.phase == Phase::Complete).then_some(summary),
        })
    }
}

impl PreviewResult {
    fn of(mark: &Mark) -> Result<Self> {
        Ok(Self {
            image_tags: mark.tags()?,
            image_digest: mark.image,
            image_pushed_at: mark.pushed_at,
            action: RuleAction {
                r#type: match mark.action {
                    Action::Expire => "EXPIRE",
                    Action::Transition => "TRANSITION",
                    Action::Untag => "X-LONGSHORE-UNTAG",
                },
                target_storage_class: (mark.action == Action::Transition).then_some("ARCHIVE"),
            },
            applied_rule_priority: mark.rule,
            storage_class: match mark.class {
                Class::Standard => "STANDARD",
                Class::Archive => "ARCHIVE",
            },
        })
    }
}
