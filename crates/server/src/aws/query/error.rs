//! Errors as the Query protocol writes them, with the codes and statuses of the services' models.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};
use longshore_registry::{Error, error::Fault};
use longshore_types::id::RequestId;

use super::{decode::MalformedInput, reply::xml_response, service::Service, xml::write_text};
use crate::aws::{
    refusal::{Refusal, add_encoded},
    sigv4::SignatureError,
};

/// The most characters of a message that are told; no ARN or name that is one of ours is cut.
const MAX_MESSAGE: usize = 8192;

/// An error's code, status and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    code: &'static str,
    status: StatusCode,
    message: Cow<'static, str>,
    encoded: Option<String>,
}

impl QueryError {
    /// Makes an error.
    pub fn new(
        code: &'static str,
        status: StatusCode,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            encoded: None,
        }
    }

    /// No operation of that name and version.
    pub(super) fn unknown_action(action: &str, version: Option<&str>) -> Self {
        let version = version.unwrap_or("NO_VERSION_SPECIFIED");
        let text = format!("Could not find operation {action} for version {version}");
        Self::new("InvalidAction", StatusCode::BAD_REQUEST, text)
    }

    /// The call names no operation.
    pub(super) fn missing_action() -> Self {
        Self::new(
            "MissingAction",
            StatusCode::BAD_REQUEST,
            "The request is missing an action or a required parameter.",
        )
    }

    /// Whether a token of an identity provider was none, or was not to be proven.
    pub(super) fn is_unproven_identity(&self) -> bool {
        self.code == Fault::InvalidIdentityToken.code()
    }

    /// Writes the answer.
    pub fn into_response(self, service: Service, id: RequestId) -> Response<Bytes> {
        let fault = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut body = format!("<ErrorResponse xmlns=\"{}\"><Error>", service.namespace());
        write_text(&mut body, "Type", fault);
        write_text(&mut body, "Code", self.code);
        write_text(&mut body, "Message", shown(&self.message));
        body.push_str("</Error>");
        write_text(&mut body, "RequestId", &id.to_string());
        body.push_str("</ErrorResponse>\n");
        let mut response = xml_response(self.status, body, id);
        add_encoded(&mut response, self.encoded.as_deref());
        response
    }
}

/// What is told of a message. Most repeat what the caller sent, which may be long and, escaped, six times as long: an
/// answer that nobody had to sign for must not be a burden.
fn shown(message: &str) -> &str {
    let end = message.char_indices().nth(MAX_MESSAGE);
    end.and_then(|(end, _)| message.get(..end))
        .unwrap_or(message)
}

impl From<MalformedInput> for QueryError {
    fn from(error: MalformedInput) -> Self {
        let code = match error {
            MalformedInput::Text(_) => "MalformedInput",
            MalformedInput::Missing(_) => "ValidationError",
        };
        Self::new(code, StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<SignatureError> for QueryError {
    fn from(error: SignatureError) -> Self {
        Self::new(error.query_code(), error.query_status(), error.to_string())
    }
}

impl From<Refusal> for QueryError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Signature(error) => error.into(),
            Refusal::Registry(error) => error.into(),
            Refusal::BodyTooLarge => Self::new(
                "RequestEntityTooLarge",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body is too large.",
            ),
        }
    }
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        let (code, status) = code(&error);
        if status.is_server_error() && code == INTERNAL {
            crate::log::failure("query", &error);
            return Self::new(code, status, "An internal error occurred.");
        }
        let encoded = match &error {
            Error::AccessDenied(denial) => denial.encoded().map(str::to_owned),
            _ => None,
        };
        Self {
            encoded,
            ..Self::new(code, status, error.to_string())
        }
    }
}

const INTERNAL: &str = "ServiceFailure";

fn code(error: &Error) -> (&'static str, StatusCode) {
    match error {
        Error::Identity { fault, .. } => (fault.code(), status(*fault)),
        Error::InvalidParameter(_) | Error::BodyBroken(_) => {
            ("ValidationError", StatusCode::BAD_REQUEST)
        }
        Error::BodyLate(_) => ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT),
        Error::LimitExceeded(_) => ("LimitExceeded", StatusCode::CONFLICT),
        Error::AccessDenied(_) => ("AccessDenied", StatusCode::FORBIDDEN),
        Error::AuthenticationRequired => ("MissingAuthenticationToken", StatusCode::FORBIDDEN),
        Error::UnrecognizedClient => ("InvalidClientTokenId", StatusCode::FORBIDDEN),
        Error::Throttled(_) | Error::TooManyFailures(_) => ("Throttling", StatusCode::BAD_REQUEST),
        Error::Stale | Error::NotAlone | Error::Unavailable => {
            ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE)
        }
        // No operation of these services answers what is said of repositories and images.
        Error::InvalidTagParameter(_)
        | Error::TooManyTags(_)
        | Error::Kms { .. }
        | Error::RepositoryNotFound { .. }
        | Error::RepositoryAlreadyExists { .. }
        | Error::RepositoryNotEmpty { .. }
        | Error::RepositoryPolicyNotFound { .. }
        | Error::LifecyclePolicyNotFound { .. }
        | Error::LifecyclePolicyPreviewNotFound { .. }
        | Error::LifecyclePolicyPreviewInProgress { .. }
        | Error::TemplateAlreadyExists { .. }
        | Error::TemplateNotFound { .. }
        | Error::RegistryPolicyNotFound(_)
        | Error::ExclusionAlreadyExists { .. }
        | Error::ExclusionNotFound { .. }
        | Error::RegistryNotFound(_)
        | Error::RepositoryCatalogDataNotFound { .. }
        | Error::UnsupportedCommand(_)
        | Error::ImageNotFound { .. }
        | Error::ImageAlreadyExists { .. }
        | Error::ImageTagAlreadyExists { .. }
        | Error::ImageDigestDoesNotMatch { .. }
        | Error::LayersNotFound { .. }
        | Error::ReferencedImagesNotFound { .. }
        | Error::Manifest(_)
        | Error::ManifestUnknown
        | Error::ImageReferencedByManifestList
        | Error::ImageStorageClassUpdateNotSupported(_)
        | Error::LayerNotFound { .. }
        | Error::LayerInaccessible { .. }
        | Error::LayerAlreadyExists { .. }
        | Error::BlobUnknown
        | Error::BlobReferenced(_)
        | Error::RangeNotSatisfiable(_)
        | Error::UploadNotFound { .. }
        | Error::InvalidLayerPart { .. }
        | Error::InvalidLayerPartLength { .. }
        | Error::SizeInvalid(_)
        | Error::InvalidLayer
        | Error::EmptyUpload { .. }
        | Error::LayerPartTooSmall
        | Error::TooManyParts(_)
        | Error::LayerTooLarge(_)
        | Error::TooManyUploads(_)
        | Error::Internal(_) => (INTERNAL, StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn status(fault: Fault) -> StatusCode {
    match fault {
        Fault::NoSuchEntity => StatusCode::NOT_FOUND,
        Fault::ConcurrentModification
        | Fault::DeleteConflict
        | Fault::EntityAlreadyExists
        | Fault::LimitExceeded => StatusCode::CONFLICT,
        Fault::IdpRejectedClaim => StatusCode::FORBIDDEN,
        Fault::PolicyEvaluation => StatusCode::INTERNAL_SERVER_ERROR,
        Fault::AccountNotFound
        | Fault::ChildNotFound
        | Fault::CreateAccountStatusNotFound
        | Fault::InvalidInputException
        | Fault::TargetNotFound
        | Fault::ExpiredToken
        | Fault::IdpCommunicationError
        | Fault::InvalidAuthorizationMessage
        | Fault::InvalidIdentityToken
        | Fault::InvalidInput
        | Fault::MalformedPolicyDocument
        | Fault::PackedPolicyTooLarge
        | Fault::PolicyNotAttachable
        | Fault::UnmodifiableEntity
        | Fault::Validation => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_with_its_side_code_and_text() {
        let id: RequestId = "0190f3a0-0000-7000-8000-000000000001".parse().unwrap();
        let error = Fault::NoSuchEntity.because("The user with name <b> cannot be found.");
        let response = QueryError::from(error).into_response(Service::Iam, id);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["content-type"], "text/xml");
        assert_eq!(response.headers()["x-amzn-requestid"], id.to_string());
        assert_eq!(
            std::str::from_utf8(response.body()).unwrap(),
            format!(
                "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                 <Code>NoSuchEntity</Code><Message>The user with name &lt;b&gt; cannot be found.</Message></Error>\
                 <RequestId>{id}</RequestId></ErrorResponse>\n"
            )
        );
    }

    #[test]
    fn a_long_message_is_cut() {
        let id: RequestId = "0190f3a0-0000-7000-8000-000000000001".parse().unwrap();
        let length = |text: String| {
            let error = QueryError::from(Fault::Validation.because(text));
            error.into_response(Service::Sts, id).body().len()
        };
        assert!(length("\'".repeat(1_000_000)) < 64 * 1024);
        assert_eq!(length("é".repeat(8193)), length("é".repeat(8192)));
        assert_ne!(length("é".repeat(8192)), length("é".repeat(8191)));
    }

    #[test]
    fn a_failure_of_ours_says_nothing_of_its_cause() {
        let error = QueryError::from(Error::internal("the secret cause"));
        assert_eq!(
            error,
            QueryError::new(
                "ServiceFailure",
                StatusCode::INTERNAL_SERVER_ERROR,
                "An internal error occurred."
            )
        );
    }
}
