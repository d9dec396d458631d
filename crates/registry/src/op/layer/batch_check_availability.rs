//! `BatchCheckLayerAvailability`.

use std::collections::HashMap;

use longshore_types::{account::AccountId, digest::Digest, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, required_list},
    op::{digest::DigestText, on_repository},
    operation::Operation,
    table::link::{self, Present},
};

const MAX_DIGESTS: usize = 100;
const MAX_DIGEST_CHARACTERS: usize = 1000;

/// Tells which layers are here, so that a push leaves them out. Available is a promise: it stays so for hours.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchCheckLayerAvailability {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    layer_digests: Option<Vec<String>>,
}

/// What is known of each digest asked for.
#[derive(Debug, Serialize)]
pub struct CheckedLayers {
    layers: Vec<Layer>,
    failures: Vec<LayerFailure>,
}

/// A layer, here or not.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub struct Layer {
    layer_digest: String,
    layer_availability: LayerAvailability,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
}

/// Whether a layer is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LayerAvailability {
    /// It is.
    Available,
    /// It is not, or not for long enough to rely on.
    Unavailable,
    /// It is a layer of archived images alone.
    Archived,
}

/// A text that is no layer's digest.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerFailure {
    layer_digest: String,
    failure_code: LayerFailureCode,
    failure_reason: &'static str,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LayerFailureCode {
    /// It breaks the pattern of digests.
    InvalidLayerDigest,
    /// It is empty.
    MissingLayerDigest,
}

impl Operation for BatchCheckLayerAvailability {
    type Output = CheckedLayers;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::BatchCheckLayerAvailability,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.digests()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CheckedLayers> {
        let texts = self.digests()?;
        let mut known: Vec<Digest> = texts
            .iter()
            .filter_map(|text| text.parse::<DigestText>().ok()?.known)
            .collect();
        known.sort();
        known.dedup();
        let (present, archived) = cx
            .read(permit.grant(), move |tx, grant| {
                let incarnation = grant.repository()?.incarnation;
                let present = link::present(tx, incarnation, &known)?;
                known.retain(|digest| present.iter().all(|blob| blob.digest != *digest));
                Ok((present, link::archived(tx, incarnation, &known)?))
            })
            .await?;
        let known = |blobs: Vec<Present>, availability| {
            let known = move |blob: Present| (blob.digest, (blob, availability));
            blobs.into_iter().map(known)
        };
        let found = known(present, LayerAvailability::Available)
            .chain(known(archived, LayerAvailability::Archived))
            .collect();
        Ok(check(texts, &found))
    }
}

impl BatchCheckLayerAvailability {
    fn digests(&self) -> Result<&[String]> {
        let digests = required_list("layerDigests", self.layer_digests.as_ref(), MAX_DIGESTS)?;
        if digests
            .iter()
            .any(|digest| digest.chars().count() > MAX_DIGEST_CHARACTERS)
        {
            let what =
                format!("Member must have length less than or equal to {MAX_DIGEST_CHARACTERS}");
            return Err(Error::invalid("layerDigests", what));
        }
        Ok(digests)
    }
}

fn check(texts: &[String], found: &HashMap<Digest, (Present, LayerAvailability)>) -> CheckedLayers {
    let mut checked = CheckedLayers {
        layers: Vec::new(),
        failures: Vec::new(),
    };
    for text in texts {
        match text.parse::<DigestText>() {
            Ok(digest) => {
                let found = digest.known.and_then(|digest| found.get(&digest));
                checked.layers.push(layer(text, found));
            }
            Err(_) => checked.failures.push(failure(text)),
        }
    }
    checked
}

fn layer(text: &str, found: Option<&(Present, LayerAvailability)>) -> Layer {
    let unavailable = LayerAvailability::Unavailable;
    Layer {
        layer_digest: text.to_owned(),
        layer_availability: found.map_or(unavailable, |(_, availability)| *availability),
        layer_size: found.map(|(blob, _)| blob.size),
        media_type: found.and_then(|(blob, _)| blob.referenced_as.clone()),
    }
}

fn failure(text: &str) -> LayerFailure {
    let (failure_code, failure_reason) = if text.is_empty() {
        (
            LayerFailureCode::MissingLayerDigest,
            "Invalid request parameters: layer digest cannot be empty",
        )
    } else {
        (
            LayerFailureCode::InvalidLayerDigest,
            "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    };
    LayerFailure {
        layer_digest: text.to_owned(),
        failure_code,
        failure_reason,
    }
}
