//! `/v2/NAME/referrers/DIGEST`.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    execute,
    oci::referrers::{ListReferrers, Referrer},
};
use longshore_types::{digest::Digest, media_type::OCI_IMAGE_INDEX, name::RepositoryName};
use serde::Serialize;

use super::{Request, error::Wire};
use crate::{
    reply::{self, Reply},
    route::query::escaped,
};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// An OCI index of what refers to an image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl From<Referrer> for Descriptor {
    fn from(referrer: Referrer) -> Self {
        let Referrer {
            digest,
            media_type,
            artifact_type,
            size,
            annotations,
            ..
        } = referrer;
        Self {
            media_type,
            digest,
            size,
            artifact_type,
            annotations,
        }
    }
}

pub(super) async fn serve(
    request: &Request<'_>,
    name: RepositoryName,
    subject: Digest,
) -> Result<Reply, Wire> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let artifact_type = request.query.get("artifactType").map(str::to_owned);
    let last = request
        .query
        .get("last")
        .map(|last| last.parse().map_err(|_| Wire::Digest(last.to_owned())))
        .transpose()?;
    let page = execute(
        &request.cx,
        ListReferrers {
            repository: request.repository()?,
            subject,
            artifact_type: artifact_type.clone(),
            last,
        },
    )
    .await?;
    let next = page
        .referrers
        .last()
        .map(|last| last.digest)
        .filter(|_| page.more);
    let manifests = page.referrers.into_iter().map(Descriptor::from).collect();
    let index = Index {
        schema_version: 2,
        media_type: OCI_IMAGE_INDEX,
        manifests,
    };
    let mut reply = reply::json(StatusCode::OK, &index);
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(OCI_IMAGE_INDEX),
    );
    if artifact_type.is_some() {
        reply
            .headers_mut()
            .insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if let Some(next) = next {
        let filter = artifact_type
            .map(|wanted| format!("&artifactType={}", escaped(&wanted)))
            .unwrap_or_default();
        reply::set(
            &mut reply,
            header::LINK,
            format!("</v2/{name}/referrers/{subject}?last={next}{filter}>; rel=\"next\""),
        );
    }
    Ok(reply)
}
