//! The one challenge of a 401: clients decide from it how to log in.

use crate::{app::App, host::HostKind, origin::Origin};

/// `Basic` on private registries' hosts, as ECR; `Bearer` elsewhere, so that one host serves logins and anonymous pulls.
pub(super) fn challenge(app: &App, origin: &Origin) -> String {
    let Origin {
        scheme, host, kind, ..
    } = origin;
    match kind {
        HostKind::Private(_) if !app.anonymous_challenge => {
            format!(r#"Basic realm="https://{host}/",service="ecr.amazonaws.com""#)
        }
        HostKind::Private(_) | HostKind::Public | HostKind::Api | HostKind::Own => {
            format!(r#"Bearer realm="{scheme}://{host}/token/",service="{host}",scope="aws""#)
        }
    }
}
