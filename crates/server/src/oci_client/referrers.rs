//! What refers to an image: the referrers API, else the index under the tag that stands for it (OCI distribution
//! specification, "Referrers tag schema").

use longshore_types::{
    digest::Digest,
    manifest::Descriptor,
    name::{ImageTag, Reference},
};
use serde::Deserialize;

use super::{
    error::ClientError,
    page::{Place, pull},
    send::Registry,
};

/// How many referrers of one image are taken.
const MOST: usize = 100_000;

#[derive(Deserialize)]
struct Index {
    manifests: Option<Vec<Descriptor>>,
}

impl Registry {
    /// Lists the digests of what refers to `subject`.
    pub(crate) async fn referrers(
        &self,
        name: &str,
        subject: &Digest,
    ) -> Result<Vec<Digest>, ClientError> {
        // Asked each time: one repository without the API says nothing about the next.
        match self.by_api(name, subject).await? {
            Some(found) => Ok(found),
            None => self.by_tag(name, subject).await,
        }
    }

    async fn by_api(
        &self,
        name: &str,
        subject: &Digest,
    ) -> Result<Option<Vec<Digest>>, ClientError> {
        let scope = pull(name);
        let target = format!("/v2/{name}/referrers/{subject}");
        let mut place = Some(Place::first(target.clone()));
        let mut found = Vec::new();
        while let Some(page) = place.take() {
            let (index, next) = match self.page::<Index>(&page, &scope).await {
                // That a later page is not there does not say that there are no referrers.
                Err(error) if error.is_absent() && page.is_first() => return Ok(None),
                told => told?,
            };
            found.extend(digests(index));
            if found.len() > MOST {
                let what = format!("more than {MOST} manifests refer to it");
                return Err(ClientError::wrong(&target, what));
            }
            place = next;
        }
        Ok(Some(found))
    }

    async fn by_tag(&self, name: &str, subject: &Digest) -> Result<Vec<Digest>, ClientError> {
        let tag = Reference::Tag(fallback_tag(subject, ""));
        let Some(index) = self.manifest(name, &tag).await? else {
            return Ok(Vec::new());
        };
        // What is no index, and may lie under that name, too, names nothing.
        let told = serde_json::from_slice(&index.bytes);
        let told = told.map_err(|error| {
            let what = format!("the list of referrers is not valid: {error}");
            ClientError::wrong(&format!("/v2/{name}/manifests/{tag}"), what)
        })?;
        Ok(digests(told))
    }
}

fn digests(index: Index) -> Vec<Digest> {
    let manifests = index.manifests.unwrap_or_default();
    manifests.iter().map(|manifest| manifest.digest).collect()
}

/// The tag that stands for what belongs to an image: with `.sig`, `.att` and `.sbom` after it what cosign makes.
pub(crate) fn fallback_tag(subject: &Digest, suffix: &str) -> ImageTag {
    let text = subject.to_string().replace(':', "-");
    // The specification cuts long ones; those of SHA-512 come to 135 characters.
    let text: String = text
        .chars()
        .take(ImageTag::MAX_LEN - suffix.len())
        .collect();
    let tag = format!("{text}{suffix}").parse();
    tag.unwrap_or_else(|_| unreachable!("an algorithm and hexadecimal digits are a tag"))
}
