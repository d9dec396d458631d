//! `ListImageReferrers`.

use std::collections::BTreeMap;

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    oci::referrers::{self, Referrer, Referrers},
    op::on_repository,
    operation::Operation,
    page::{self, PageSize},
    table::image_storage::StatusFilter,
};

const MAX_TYPES: usize = 5;
const MAX_TYPE_CHARACTERS: usize = 255;
const PAGE: PageSize = PageSize {
    default: 20,
    max: 50,
};

/// Lists what refers to an image, which itself need not be here (`behaviour.md` section 11.6).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListImageReferrers {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    subject_id: Option<SubjectInput>,
    filter: Option<ReferrersFilter>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SubjectInput {
    image_digest: Member<Digest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReferrersFilter {
    artifact_types: Vec<String>,
    artifact_status: Member<StatusFilter>,
}

/// Referrers in order of digest, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedReferrers {
    referrers: Vec<ImageReferrer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An image that refers to another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReferrer {
    digest: Digest,
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    artifact_status: &'static str,
}

/// The input as it was meant.
#[derive(Debug)]
struct Asked {
    subject: Digest,
    types: Vec<String>,
    status: StatusFilter,
}

impl Operation for ListImageReferrers {
    type Output = ListedReferrers;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::BatchGetImage,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        PAGE.check(self.max_results)?;
        self.asked()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedReferrers> {
        let grant = permit.grant();
        let size = PAGE.check(self.max_results)?;
        let asked = self.asked()?;
        let list = format!(
            "ListImageReferrers {} {asked:?}",
            grant.repository()?.incarnation
        );
        let after = page::resume(&cx.core.tokens, &list, self.next_token.as_deref())?;
        let Referrers { referrers, more } = referrers::page(
            cx,
            grant,
            asked.subject,
            (asked.types, asked.status),
            after,
            size,
        )
        .await?;
        let last = referrers.last().filter(|_| more);
        let next_token = last
            .map(|last| page::next_token(&cx.core.tokens, &list, &last.digest))
            .transpose()?;
        Ok(ListedReferrers {
            referrers: referrers.into_iter().map(ImageReferrer::from).collect(),
            next_token,
        })
    }
}

impl ListImageReferrers {
    fn asked(&self) -> Result<Asked> {
        let subject = self.subject_id.as_ref();
        let subject =
            subject.ok_or_else(|| Error::invalid("subjectId", "Member must not be null"))?;
        let subject = subject.image_digest.required("subjectId.imageDigest")?;
        let (types, status) = match &self.filter {
            Some(filter) => (
                filter.types()?,
                filter.artifact_status.optional("filter.artifactStatus")?,
            ),
            None => (Vec::new(), None),
        };
        Ok(Asked {
            subject,
            types,
            status: status.unwrap_or(StatusFilter::Active),
        })
    }
}

impl ReferrersFilter {
    fn types(&self) -> Result<Vec<String>> {
        let refuse = |what: String| Err(Error::invalid("filter.artifactTypes", what));
        if self.artifact_types.len() > MAX_TYPES {
            return refuse(format!(
                "Member must have length less than or equal to {MAX_TYPES}"
            ));
        }
        let fits = |text: &String| {
            (1..=MAX_TYPE_CHARACTERS).contains(&text.chars().count()) && !text.contains('\0')
        };
        if !self.artifact_types.iter().all(fits) {
            return refuse(format!(
                "Member must have length between 1 and {MAX_TYPE_CHARACTERS}"
            ));
        }
        Ok(self.artifact_types.clone())
    }
}

impl From<Referrer> for ImageReferrer {
    fn from(referrer: Referrer) -> Self {
        Self {
            digest: referrer.digest,
            media_type: referrer.media_type,
            artifact_type: referrer.artifact_type,
            size: referrer.size,
            annotations: referrer.annotations,
            artifact_status: referrer.status,
        }
    }
}
