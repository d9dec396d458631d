//! What a path names. Pure: no host, no method, no credentials.
//!
//! Repository names hold slashes and may end in words that routes use (`a/blobs/uploads`), so a path is matched on
//! its tail: the last segment and the fixed words before it decide, and whatever is left is the name.

use std::{borrow::Cow, fmt};

use longshore_types::{
    digest::Digest,
    id::{LogoId, UploadId},
    name::{InvalidImageTag, InvalidReference, Reference, RepositoryName},
};
use percent_encoding::percent_decode_str;

pub mod query;

/// Something that the server answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`
    Ping,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/NAME/tags/list`
    Tags(RepositoryName),
    /// `/v2/NAME/manifests/REFERENCE`
    Manifest(RepositoryName, Reference),
    /// `/v2/NAME/blobs/DIGEST`
    Blob(RepositoryName, Digest),
    /// `/v2/NAME/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/NAME/blobs/uploads/ID`
    Upload(RepositoryName, UploadId),
    /// `/v2/NAME/referrers/DIGEST`
    Referrers(RepositoryName, Digest),
    /// `/token/`
    Token,
    /// `/layers/DIGEST`
    Layer(Digest),
    /// `/logos/ID.png`
    Logo(LogoId),
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// Any other path: the AWS APIs when the request is signed.
    Other,
}

/// Why a path under `/v2/` names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misrouted {
    /// The repository name is not of the form.
    #[error("repository name `{0}` is invalid")]
    Name(String),
    /// The digest is not of the form, or of an algorithm that is not supported.
    #[error("digest `{0}` is invalid")]
    Digest(String),
    /// The tag holds a character that no tag holds.
    #[error("tag `{0}` is invalid")]
    Tag(String),
    /// The tag has only characters of tags, but cannot be one; the specification's own tests ask for such.
    #[error("Requested image not found")]
    Reference,
    /// The upload id is not one.
    #[error("upload `{0}` does not exist")]
    Upload(String),
    /// The path is of no known form.
    #[error("path is not known")]
    Path,
}

impl Route {
    /// Reads the path of a request.
    pub fn parse(path: &str) -> Result<Self, Misrouted> {
        if let Some(rest) = path.strip_prefix("/v2/") {
            return v2(&decoded(rest)?);
        }
        Ok(match path {
            "/v2" => Self::Ping,
            "/token" | "/token/" => Self::Token,
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            _ => layer(path).or_else(|| logo(path)).unwrap_or(Self::Other),
        })
    }

    /// The repository that the route is about.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
            Self::Ping
            | Self::Catalog
            | Self::Token
            | Self::Layer(_)
            | Self::Logo(_)
            | Self::Health
            | Self::Ready
            | Self::Other => None,
        }
    }

    /// What metrics call it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Catalog => "catalog",
            Self::Tags(_) => "tags",
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Uploads(_) => "uploads",
            Self::Upload(..) => "upload",
            Self::Referrers(..) => "referrers",
            Self::Token => "token",
            Self::Layer(_) => "layer",
            Self::Logo(_) => "logo",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Other => "api",
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("/v2/"),
            Self::Catalog => f.write_str("/v2/_catalog"),
            Self::Tags(name) => write!(f, "/v2/{name}/tags/list"),
            Self::Manifest(name, reference) => write!(f, "/v2/{name}/manifests/{reference}"),
            Self::Blob(name, digest) => write!(f, "/v2/{name}/blobs/{digest}"),
            Self::Uploads(name) => write!(f, "/v2/{name}/blobs/uploads/"),
            Self::Upload(name, id) => write!(f, "/v2/{name}/blobs/uploads/{id}"),
            Self::Referrers(name, digest) => write!(f, "/v2/{name}/referrers/{digest}"),
            Self::Token => f.write_str("/token/"),
            Self::Layer(digest) => write!(f, "/layers/{digest}"),
            Self::Logo(id) => write!(f, "/logos/{id}.png"),
            Self::Health => f.write_str("/healthz"),
            Self::Ready => f.write_str("/readyz"),
            Self::Other => f.write_str("/"),
        }
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Misrouted> {
    if text.contains('%') {
        percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| Misrouted::Path)
    } else {
        Ok(text.into())
    }
}

fn layer(path: &str) -> Option<Route> {
    let digest = decoded(path.strip_prefix("/layers/")?).ok()?;
    digest.parse().ok().map(Route::Layer)
}

fn logo(path: &str) -> Option<Route> {
    let id = path.strip_prefix("/logos/")?.strip_suffix(".png")?;
    id.parse().ok().map(Route::Logo)
}

fn v2(rest: &str) -> Result<Route, Misrouted> {
    match rest {
        "" => return Ok(Route::Ping),
        "_catalog" => return Ok(Route::Catalog),
        _ => {}
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        return Ok(Route::Tags(name(repository)?));
    }
    if let Some(repository) = rest
        .strip_suffix("/blobs/uploads/")
        .or_else(|| rest.strip_suffix("/blobs/uploads"))
    {
        return Ok(Route::Uploads(name(repository)?));
    }
    let (head, last) = rest.rsplit_once('/').ok_or(Misrouted::Path)?;
    if let Some(repository) = head.strip_suffix("/manifests") {
        return Ok(Route::Manifest(name(repository)?, reference(last)?));
    }
    if let Some(repository) = head.strip_suffix("/blobs/uploads") {
        let repository = name(repository)?;
        return Ok(Route::Upload(
            repository,
            last.parse()
                .map_err(|_| Misrouted::Upload(printable(last)))?,
        ));
    }
    if let Some(repository) = head.strip_suffix("/blobs") {
        return Ok(Route::Blob(name(repository)?, digest(last)?));
    }
    if let Some(repository) = head.strip_suffix("/referrers") {
        return Ok(Route::Referrers(name(repository)?, digest(last)?));
    }
    Err(Misrouted::Path)
}

fn name(text: &str) -> Result<RepositoryName, Misrouted> {
    text.parse().map_err(|_| Misrouted::Name(printable(text)))
}

fn digest(text: &str) -> Result<Digest, Misrouted> {
    text.parse().map_err(|_| Misrouted::Digest(printable(text)))
}

fn reference(text: &str) -> Result<Reference, Misrouted> {
    text.parse().map_err(|error| match error {
        InvalidReference::Digest(_) => Misrouted::Digest(printable(text)),
        InvalidReference::Tag(InvalidImageTag) if text.bytes().all(is_of_tags) => {
            Misrouted::Reference
        }
        InvalidReference::Tag(InvalidImageTag) => Misrouted::Tag(printable(text)),
    })
}

fn is_of_tags(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// What a client sent, cut and cleaned for an error message.
fn printable(text: &str) -> String {
    const SHOWN: usize = 300;
    text.chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
