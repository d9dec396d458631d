//! Lists that come in pages: the catalog and tags.

use http::{HeaderMap, Method, header};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::ClientError,
    send::{Call, Registry, whole},
};

/// How many names a page is asked for.
const PAGE: usize = 1000;
/// How many bytes a page may have.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// How many pages a list may have: with registries that send fifty names at a time, half a million.
const MOST_PAGES: u32 = 10_000;

/// A page of names, and where the next is.
#[derive(Debug)]
pub(crate) struct Page {
    /// The names, as the registry tells them.
    pub(crate) names: Vec<String>,
    /// The next page.
    pub(crate) next: Option<Place>,
}

/// Where a page of a list is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    target: String,
    /// How many pages come before it.
    before: u32,
}

impl Place {
    /// Of the first page.
    pub(super) fn first(target: String) -> Self {
        Self { target, before: 0 }
    }

    /// Whether it is the first page's.
    pub(super) fn is_first(&self) -> bool {
        self.before == 0
    }
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
    pub(crate) async fn catalog(&self, place: Option<&Place>) -> Result<Page, ClientError> {
        let first = Place::first(format!("/v2/_catalog?n={PAGE}"));
        let place = place.unwrap_or(&first);
        let (told, next) = self
            .page::<Repositories>(place, "registry:catalog:*")
            .await?;
        Ok(Page {
            names: told.repositories.unwrap_or_default(),
            next,
        })
    }

    /// Lists the tags of a repository, from the start or from where a page says.
    pub(crate) async fn tags(
        &self,
        name: &str,
        place: Option<&Place>,
    ) -> Result<Page, ClientError> {
        let first = Place::first(format!("/v2/{name}/tags/list?n={PAGE}"));
        let place = place.unwrap_or(&first);
        let (told, next) = self.page::<Tags>(place, &pull(name)).await?;
        Ok(Page {
            names: told.tags.unwrap_or_default(),
            next,
        })
    }

    /// Reads a page and finds the next one. A list that does not end, because its pages are too many or lead to themselves,
    /// is an error.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        place: &Place,
        scope: &str,
    ) -> Result<(T, Option<Place>), ClientError> {
        let Place { target, before } = place;
        if *before >= MOST_PAGES {
            let what = format!("the list has more than {MOST_PAGES} pages");
            return Err(ClientError::wrong(target, what));
        }
        let answer = self.call(&Call::new(Method::GET, target, scope)).await?;
        let next = next(answer.headers());
        if let Some(next) = &next
            && self.uri(next)? == self.uri(target)?
        {
            let what = "the list does not end: its next page is the same page";
            return Err(ClientError::wrong(target, what));
        }
        let next = next.map(|target| Place {
            target,
            before: before + 1,
        });
        let body = whole(target, answer, MAX_PAGE).await?;
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
    let values = headers.get_all(header::LINK).iter();
    let mut texts = values.filter_map(|value| value.to_str().ok());
    texts.find_map(|mut text| {
        while let Some((target, parameters, rest)) = link(text) {
            if is_next(parameters) {
                return Some(target.to_owned());
            }
            text = rest;
        }
        None
    })
}

/// Takes the first link apart: its target, its parameters, and what follows it. A comma within a target or quotes is a part
/// of it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = text.split_once('<')?;
    let (target, rest) = rest.split_once('>')?;
    let mut is_quoted = false;
    let end = rest.find(|char| {
        is_quoted ^= char == '"';
        char == ',' && !is_quoted
    });
    let (parameters, rest) = rest.split_at(end.unwrap_or(rest.len()));
    Some((target, parameters, rest))
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let mut relations = value.trim().trim_matches('"').split_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::oci_client::{Address, Auth, Connections, Credentials};

    #[tokio::test]
    async fn a_list_of_endless_pages_ends() {
        // Nobody answers there: it is not asked.
        let (address, _) = Address::parse("127.0.0.1:1").unwrap();
        let connections = Connections::new(None).unwrap();
        let registry = Registry::new(address, connections, Auth::new(Credentials::Nobody));
        let after_many = Place {
            target: "/v2/_catalog?last=x".to_owned(),
            before: MOST_PAGES,
        };
        let error = registry.catalog(Some(&after_many)).await.unwrap_err();
        assert!(
            error.to_string().contains("more than 10000 pages"),
            "{error}"
        );
    }

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
            (r#"</a?last=x,y&n=2>; rel="next""#, Some("/a?last=x,y&n=2")),
            (
                r#"</a,b>; title="one, <two>"; rel=prev, </c>; rel="last next""#,
                Some("/c"),
            ),
            (r#"</a>; title="rel=next""#, None),
            ("/a; rel=next", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, HeaderValue::from_static(link));
            assert_eq!(next(&headers).as_deref(), expected, "{link}");
        }
    }
}
