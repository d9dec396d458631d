//! Errors as the distribution specification writes them, with ECR's codes and texts (`behaviour.md` section 4.1).

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use longshore_registry::Error;
use longshore_types::manifest::ManifestError;
use serde_json::json;

use super::challenge::challenge;
use crate::{
    app::App,
    origin::Origin,
    reply::{self, Reply},
    route::Misrouted,
};

/// What an expired password is told, to the letter.
const EXPIRED: &str = "Your authorization token has expired. Reauthenticate and try again.";
/// What a manifest that is not JSON is told, to the letter.
const INVALID_JSON: &str =
    "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'";

/// Why a request under `/v2/` is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wire {
    /// The registry refuses or fails.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The path names nothing.
    #[error(transparent)]
    Misrouted(#[from] Misrouted),
    /// The public registry has no such repository; whose registry it is, is not told.
    #[error("The repository with name '{0}' does not exist")]
    PublicName(String),
    /// The path does not take the method; carries those that it takes.
    #[error("The operation is unsupported.")]
    Method(&'static str),
    /// The query string cannot be read.
    #[error("query string is malformed or too long")]
    Query,
    /// A parameter that must be a digest is none, or absent.
    #[error("digest `{0}` is invalid")]
    Digest(String),
    /// A header or parameter is malformed.
    #[error("{0}")]
    Malformed(String),
    /// The password was good once.
    #[error("{EXPIRED}")]
    ExpiredToken,
}

impl Wire {
    /// Writes the answer to a request for `path`, and the log of a failure of ours.
    pub(crate) fn reply(&self, app: &App, origin: &Origin, path: &str) -> Reply {
        let (code, status) = self.code();
        let mut reply = reply::json(
            status,
            &json!({ "errors": [{ "code": code, "message": self.text() }] }),
        );
        match status {
            StatusCode::UNAUTHORIZED => {
                reply::set(&mut reply, header::WWW_AUTHENTICATE, challenge(app, origin));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                reply
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after()));
            }
            _ => {}
        }
        self.add_headers(&mut reply, path);
        reply
    }

    /// In whole seconds, and never at once.
    fn retry_after(&self) -> u64 {
        match self {
            Self::Registry(Error::Throttled(wait) | Error::TooManyFailures(wait)) => {
                (*wait + Duration::from_millis(999)).as_secs().max(1)
            }
            _ => 1,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Registry(error @ Error::Internal(_)) => {
                crate::log::failure("v2", error);
                "an internal error occurred".to_owned()
            }
            Self::Registry(Error::Manifest(ManifestError::NotJson)) => INVALID_JSON.to_owned(),
            other => other.to_string(),
        }
    }

    fn add_headers(&self, reply: &mut Reply, path: &str) {
        match self {
            Self::Method(allowed) => {
                reply
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Registry(Error::RangeNotSatisfiable(size)) => {
                reply::set(reply, header::CONTENT_RANGE, format!("bytes */{size}"));
            }
            Self::Registry(Error::InvalidLayerPart { expected, .. }) => {
                reply::set(
                    reply,
                    header::RANGE,
                    super::upload::received_range(*expected),
                );
                // The upload is where it was asked for.
                reply::set(reply, header::LOCATION, path);
            }
            _ => {}
        }
    }

    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Registry(error) => registry_code(error),
            Self::Misrouted(error) => route_code(error),
            Self::PublicName(_) => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::Method(_) => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
            Self::Query | Self::Malformed(_) => ("UNSUPPORTED", StatusCode::BAD_REQUEST),
            Self::Digest(_) => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ExpiredToken => ("DENIED", StatusCode::FORBIDDEN),
        }
    }
}

fn route_code(error: &Misrouted) -> (&'static str, StatusCode) {
    match error {
        Misrouted::Name(_) => ("NAME_INVALID", StatusCode::BAD_REQUEST),
        Misrouted::Digest(_) => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
        Misrouted::Tag(_) => ("TAG_INVALID", StatusCode::BAD_REQUEST),
        Misrouted::Reference => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
        Misrouted::Upload(_) => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
        Misrouted::Path => ("UNSUPPORTED", StatusCode::NOT_FOUND),
    }
}

fn registry_code(error: &Error) -> (&'static str, StatusCode) {
    match error {
        Error::InvalidParameter(_)
        | Error::InvalidTagParameter(_)
        | Error::TooManyTags(_)
        | Error::RepositoryAlreadyExists { .. }
        | Error::RepositoryNotEmpty { .. }
        | Error::RepositoryPolicyNotFound { .. }
        | Error::LifecyclePolicyNotFound { .. }
        | Error::LifecyclePolicyPreviewNotFound { .. }
        | Error::LifecyclePolicyPreviewInProgress { .. }
        | Error::RegistryPolicyNotFound(_)
        | Error::TemplateAlreadyExists { .. }
        | Error::TemplateNotFound { .. }
        | Error::ExclusionAlreadyExists { .. }
        | Error::ExclusionNotFound { .. }
        | Error::RepositoryCatalogDataNotFound { .. }
        | Error::UnsupportedCommand(_)
        | Error::ImageReferencedByManifestList
        | Error::ImageStorageClassUpdateNotSupported(_)
        | Error::Identity { .. }
        | Error::BlobReferenced(_) => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
        Error::Kms { .. } | Error::LimitExceeded(_) | Error::AccessDenied(_) => {
            ("DENIED", StatusCode::FORBIDDEN)
        }
        Error::RepositoryNotFound { .. } | Error::RegistryNotFound(_) => {
            ("NAME_UNKNOWN", StatusCode::NOT_FOUND)
        }
        Error::ImageNotFound { .. } | Error::ManifestUnknown => {
            ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND)
        }
        Error::ImageAlreadyExists { .. } | Error::ImageTagAlreadyExists { .. } => {
            ("TAG_INVALID", StatusCode::BAD_REQUEST)
        }
        Error::ImageDigestDoesNotMatch { .. } => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
        Error::LayersNotFound { .. } | Error::ReferencedImagesNotFound { .. } => {
            ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND)
        }
        Error::Manifest(error) => manifest_code(error),
        Error::LayerNotFound { .. } | Error::LayerInaccessible { .. } | Error::BlobUnknown => {
            ("BLOB_UNKNOWN", StatusCode::NOT_FOUND)
        }
        Error::RangeNotSatisfiable(_) => ("RANGE_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
        Error::UploadNotFound { .. } => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
        Error::InvalidLayerPart { .. } => {
            ("BLOB_UPLOAD_INVALID", StatusCode::RANGE_NOT_SATISFIABLE)
        }
        Error::SizeInvalid(_) | Error::InvalidLayerPartLength { .. } => {
            ("SIZE_INVALID", StatusCode::BAD_REQUEST)
        }
        Error::InvalidLayer
        | Error::EmptyUpload { .. }
        | Error::LayerPartTooSmall
        | Error::LayerAlreadyExists { .. }
        | Error::BodyBroken(_) => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
        Error::BodyLate(_) => ("REQUEST_TIMEOUT", StatusCode::REQUEST_TIMEOUT),
        Error::LayerTooLarge(_) => ("SIZE_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
        Error::TooManyParts(_) => ("BLOB_UPLOAD_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
        Error::AuthenticationRequired | Error::UnrecognizedClient => {
            ("UNAUTHORIZED", StatusCode::UNAUTHORIZED)
        }
        Error::Throttled(_) | Error::TooManyFailures(_) | Error::TooManyUploads(_) => {
            ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS)
        }
        Error::Stale | Error::NotAlone | Error::Unavailable => {
            ("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE)
        }
        Error::Internal(_) => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn manifest_code(error: &ManifestError) -> (&'static str, StatusCode) {
    match error {
        ManifestError::TooLarge(_) => ("MANIFEST_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
        ManifestError::NotJson
        | ManifestError::Invalid(_)
        | ManifestError::MediaTypeMissing
        | ManifestError::MediaTypeMismatch { .. }
        | ManifestError::Unsupported(_)
        | ManifestError::Ambiguous
        | ManifestError::TooManyDescriptors(_) => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
    }
}
