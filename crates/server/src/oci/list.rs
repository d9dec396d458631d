//! `/v2/NAME/tags/list` and `/v2/_catalog`.

use http::{Method, StatusCode, header};
use longshore_registry::{
    Error, execute,
    oci::{
        catalog::Catalog,
        tags::{DEFAULT_PAGE, ListTags, Names},
    },
};
use longshore_types::name::RepositoryName;
use serde_json::json;

use super::{Request, error::Wire};
use crate::{
    reply::{self, Reply},
    route::query::escaped,
};

pub(super) async fn tags(request: &Request<'_>, name: RepositoryName) -> Result<Reply, Wire> {
    let Page { last, n } = page(request)?;
    let page = execute(
        &request.cx,
        ListTags {
            repository: request.repository()?,
            last,
            n,
        },
    )
    .await?;
    let mut reply = reply::json(StatusCode::OK, &json!({ "name": name, "tags": page.names }));
    link(&mut reply, &format!("/v2/{name}/tags/list"), n, &page);
    Ok(reply)
}

pub(super) async fn catalog(request: &Request<'_>) -> Result<Reply, Wire> {
    let Page { last, n } = page(request)?;
    let registry = request.cx.scope.registry;
    let page = execute(&request.cx, Catalog { registry, last, n }).await?;
    let mut reply = reply::json(StatusCode::OK, &json!({ "repositories": page.names }));
    link(&mut reply, "/v2/_catalog", n, &page);
    Ok(reply)
}

struct Page {
    last: String,
    n: usize,
}

fn page(request: &Request<'_>) -> Result<Page, Wire> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let last = request.query.get("last").unwrap_or_default().to_owned();
    let n = match request.query.get("n") {
        None => DEFAULT_PAGE,
        Some(text) => text
            .parse()
            .map_err(|_| Error::invalid("maxResults", "Member must be a whole number"))?,
    };
    // Text with NUL is not the end of any page, and the store refuses it.
    if last.contains('\0') {
        Err(Wire::Query)
    } else {
        Ok(Page { last, n })
    }
}

fn link(reply: &mut Reply, path: &str, n: usize, page: &Names) {
    if let (true, Some(last)) = (page.more, page.names.last()) {
        reply::set(
            reply,
            header::LINK,
            format!("<{path}?last={}&n={n}>; rel=\"next\"", escaped(last)),
        );
    }
}
