//! What the images of a layout are called: by our annotation, by those of other tools, or as the caller says.

use longshore_types::manifest::Descriptor;

use super::json::{IMAGE_NAME, REF_NAME, REPOSITORY};
use crate::transfer::under;

/// What the caller says about names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    /// The one repository of all images.
    pub(crate) repository: Option<String>,
    /// What repositories are put under; nothing if it is empty.
    pub(crate) prefix: String,
}

/// The layout does not say where an image belongs.
#[derive(Debug, thiserror::Error)]
#[error("the layout does not say which repository {0} is of: give it with --repository NAME")]
pub(super) struct Nameless(String);

impl Naming {
    /// The repository and tag of an image of `index.json`.
    pub(super) fn of(&self, descriptor: &Descriptor) -> Result<(String, Option<String>), Nameless> {
        let annotation = |name: &str| {
            let value = descriptor.annotations.get(name);
            value.map(String::as_str).filter(|value| !value.is_empty())
        };
        let (mut repository, mut tag) = (annotation(REPOSITORY).map(str::to_owned), None);
        // The most telling name first.
        for name in [annotation(IMAGE_NAME), annotation(REF_NAME)]
            .into_iter()
            .flatten()
        {
            let (of_name, of_tag) = split(name);
            repository = repository.or(of_name);
            tag = tag.or(of_tag);
        }
        let repository = self.repository.clone().or(repository);
        let repository = repository.ok_or_else(|| Nameless(descriptor.digest.to_string()))?;
        Ok((under(&self.prefix, &repository), tag))
    }
}

/// Takes `TAG`, `REPOSITORY:TAG`, `HOST/REPOSITORY:TAG` or `…@DIGEST` apart.
fn split(name: &str) -> (Option<String>, Option<String>) {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (Some(path), Some(tag)),
        _ if name.contains('/') => (Some(name), None),
        _ => (None, Some(name)),
    };
    let path = path.map(without_host).filter(|path| !path.is_empty());
    let tag = tag.filter(|tag| !tag.is_empty());
    (path.map(str::to_owned), tag.map(str::to_owned))
}

/// A repository without its registry, as Docker calls it.
fn without_host(path: &str) -> &str {
    match path.split_once('/') {
        Some(("docker.io", rest)) => rest.strip_prefix("library/").unwrap_or(rest),
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(annotations: &serde_json::Value, naming: &Naming) -> Option<(String, Option<String>)> {
        let descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{}", "ab".repeat(32)),
            "size": 2,
            "annotations": annotations,
        });
        let descriptor: Descriptor = serde_json::from_value(descriptor).unwrap();
        naming.of(&descriptor).ok()
    }

    #[test]
    fn names_of_other_tools_are_understood() {
        for (annotations, repository, tag) in [
            (
                json!({ REPOSITORY: "team/app", REF_NAME: "v1" }),
                "team/app",
                Some("v1"),
            ),
            (
                json!({ REPOSITORY: "team/app", REF_NAME: "team/app:v1" }),
                "team/app",
                Some("v1"),
            ),
            (json!({ REPOSITORY: "team/app" }), "team/app", None),
            (
                json!({ REF_NAME: "localhost:5000/team/app:v1" }),
                "team/app",
                Some("v1"),
            ),
            (
                json!({ REF_NAME: "docker.io/library/busybox:1.36" }),
                "busybox",
                Some("1.36"),
            ),
            (json!({ REF_NAME: "localhost/app:v1" }), "app", Some("v1")),
            (
                json!({ REF_NAME: "latest", IMAGE_NAME: "docker.io/user/app:latest" }),
                "user/app",
                Some("latest"),
            ),
        ] {
            let expected = Some((repository.to_owned(), tag.map(str::to_owned)));
            assert_eq!(
                named(&annotations, &Naming::default()),
                expected,
                "{annotations}"
            );
        }
    }

    #[test]
    fn a_tag_alone_wants_a_repository() {
        let tag = json!({ REF_NAME: "v1" });
        assert_eq!(named(&tag, &Naming::default()), None);
        assert_eq!(named(&json!({}), &Naming::default()), None);
        let naming = Naming {
            repository: Some("app".to_owned()),
            prefix: "mirror".to_owned(),
        };
        assert_eq!(
            named(&tag, &naming),
            Some(("mirror/app".to_owned(), Some("v1".to_owned())))
        );
        assert_eq!(
            named(&json!({}), &naming),
            Some(("mirror/app".to_owned(), None))
        );
    }
}
