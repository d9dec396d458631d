//! Lists that come in pages: the catalog and tags.

use http::{HeaderMap, Method, header};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::ClientError,
    send::{Call, Registry},
};

/// How many names a page is asked for.
const PAGE: usize = 1000;
/// How many bytes a page may have.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// A page of names, and where the next is.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The names, as the registry tells them.
    pub(crate) names: Vec<String>,
    /// The target of the next page.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct Repositories {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// Lists repositories, from the start or from where a page says.
    pub(crate) async fn catalog(&self, next: Option<&str>) -> Result<Page, ClientError> {
        let first = format!("/v2/_catalog?n={PAGE}");
        let target = next.unwrap_or(&first);
        let (told, next) = self
            .page::<Repositories>(target, "registry:catalog:*")
            .await?;
        Ok(Page {
            names: told.repositories.unwrap_or_default(),
            next,
        })
    }

    /// Lists the tags of a repository, from the start or from where a page says.
    pub(crate) async fn tags(&self, name: &str, next: Option<&str>) -> Result<Page, ClientError> {
        let first = format!("/v2/{name}/tags/list?n={PAGE}");
        let target = next.unwrap_or(&first);
        let (told, next) = self.page::<Tags>(target, &pull(name)).await?;
        Ok(Page {
            names: told.tags.unwrap_or_default(),
            next,
        })
    }

    /// Reads a page and finds the next one, which must be another.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        target: &str,
        scope: &str,
    ) -> Result<(T, Option<String>), ClientError> {
        let answer = self.call(&Call::new(Method::GET, target, scope)).await?;
        let next = next(answer.headers()).filter(|next| next != target);
        let body = self.whole(target, answer, MAX_PAGE).await?;
        let told = serde_json::from_slice(&body).map_err(|error| {
            ClientError::wrong(target, format!("the list is not valid: {error}"))
        })?;
        Ok((told, next))
    }
}

/// What a token must be good for to read a repository.
pub(super) fn pull(name: &str) -> String {
    format!("repository:{name}:pull")
}

/// The target of `rel="next"` (RFC 8288).
fn next(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(header::LINK).iter();
    let links = links.filter_map(|link| link.to_str().ok());
    links.flat_map(|link| link.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let parameters = parameters.replace([' ', '"'], "").to_ascii_lowercase();
        let is_next = parameters
            .split(';')
            .any(|parameter| parameter == "rel=next");
        is_next.then(|| target.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_is_called_so() {
        for (link, expected) in [
            (
                r#"</v2/_catalog?last=b&n=2>; rel="next""#,
                Some("/v2/_catalog?last=b&n=2"),
            ),
            ("</v2/x?n=1>;rel=next", Some("/v2/x?n=1")),
            (r#"</a>; rel="prev", </b>; rel="next""#, Some("/b")),
            (r#"</a>; rel="prev""#, None),
            ("/a; rel=next", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, HeaderValue::from_static(link));
            assert_eq!(next(&headers).as_deref(), expected, "{link}");
        }
    }
}
