//! Errors as the JSON API writes them: one code and status each (`behaviour.md` sections 1.1 and 26).

use http::StatusCode;
use longshore_registry::Error;
use longshore_types::manifest::ManifestError;

use super::{
    json::{AwsError, ProtocolError},
    refusal::Refusal,
};

/// Turns an error into its answer, and logs a failure of ours.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where an error is mapped, and the error ends here"
)]
pub(crate) fn wire(error: Error) -> AwsError {
    let (code, status) = code(&error);
    let answer = AwsError::new(code, status, text(&error));
    match &error {
        Error::InvalidLayerPart {
            expected: received,
            id,
            name,
            account,
            ..
        }
        | Error::InvalidLayerPartLength {
            received,
            id,
            name,
            account,
            ..
        } => {
            let answer = answer
                .with("registryId", account.as_str())
                .with("repositoryName", name.as_str())
                .with("uploadId", id.to_string());
            // The model has no value for "none": the member is left out.
            match received.checked_sub(1) {
                Some(last) => answer.with("lastValidByteReceived", last),
                None => answer,
            }
        }
        Error::Kms { kms_error, .. } => answer.with("kmsError", *kms_error),
        Error::AccessDenied(denial) => answer.with_encoded(denial.encoded()),
        _ => answer,
    }
}

impl From<Refusal> for AwsError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Signature(error) => error.into(),
            Refusal::Registry(error) => wire(error),
            Refusal::BodyTooLarge => ProtocolError::BodyTooLarge.into(),
        }
    }
}

fn text(error: &Error) -> String {
    match error {
        Error::Internal(_) => {
            crate::log::failure("aws", error);
            "An internal error occurred.".to_owned()
        }
        Error::Manifest(error) => format!(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{}'",
            manifest_text(error)
        ),
        other => other.to_string(),
    }
}

fn manifest_text(error: &ManifestError) -> String {
    match error {
        ManifestError::NotJson => "Invalid JSON syntax".to_owned(),
        other => other.to_string(),
    }
}

fn code(error: &Error) -> (&'static str, StatusCode) {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    match error {
        Error::InvalidParameter(_) | Error::RangeNotSatisfiable(_) | Error::SizeInvalid(_) => {
            ("InvalidParameterException", BAD)
        }
        Error::InvalidTagParameter(_) => ("InvalidTagParameterException", BAD),
        Error::TooManyTags(_) => ("TooManyTagsException", BAD),
        Error::Kms { .. } => ("KmsException", BAD),
        Error::LimitExceeded(_) | Error::TooManyParts(_) | Error::LayerTooLarge(_) => {
            ("LimitExceededException", BAD)
        }
        Error::RepositoryNotFound { .. } => ("RepositoryNotFoundException", BAD),
        Error::RegistryNotFound(_) => ("RegistryNotFoundException", BAD),
        Error::RepositoryCatalogDataNotFound { .. } => {
            ("RepositoryCatalogDataNotFoundException", BAD)
        }
        Error::UnsupportedCommand(_) => ("UnsupportedCommandException", BAD),
        Error::RepositoryAlreadyExists { .. } => ("RepositoryAlreadyExistsException", BAD),
        Error::RepositoryPolicyNotFound { .. } => ("RepositoryPolicyNotFoundException", BAD),
        Error::LifecyclePolicyNotFound { .. } => ("LifecyclePolicyNotFoundException", BAD),
        Error::LifecyclePolicyPreviewNotFound { .. } => {
            ("LifecyclePolicyPreviewNotFoundException", BAD)
        }
        Error::LifecyclePolicyPreviewInProgress { .. } => {
            ("LifecyclePolicyPreviewInProgressException", BAD)
        }
        Error::RegistryPolicyNotFound(_) => ("RegistryPolicyNotFoundException", BAD),
        Error::TemplateAlreadyExists { .. } => ("TemplateAlreadyExistsException", BAD),
        Error::TemplateNotFound { .. } => ("TemplateNotFoundException", BAD),
        Error::ExclusionAlreadyExists { .. } => ("ExclusionAlreadyExistsException", BAD),
        Error::ExclusionNotFound { .. } => ("ExclusionNotFoundException", BAD),
        Error::RepositoryNotEmpty { .. } => ("RepositoryNotEmptyException", BAD),
        Error::ImageNotFound { .. }
        | Error::ManifestUnknown
        | Error::ImageReferencedByManifestList => ("ImageNotFoundException", BAD),
        Error::ImageStorageClassUpdateNotSupported(_) => {
            ("ImageStorageClassUpdateNotSupportedException", BAD)
        }
        Error::ImageAlreadyExists { .. } => ("ImageAlreadyExistsException", BAD),
        Error::ImageTagAlreadyExists { .. } => ("ImageTagAlreadyExistsException", BAD),
        Error::ImageDigestDoesNotMatch { .. } => ("ImageDigestDoesNotMatchException", BAD),
        Error::LayersNotFound { .. } | Error::LayerNotFound { .. } | Error::BlobUnknown => {
            ("LayersNotFoundException", BAD)
        }
        Error::ReferencedImagesNotFound { .. } => ("ReferencedImagesNotFoundException", BAD),
        Error::Manifest(error) => manifest_code(error),
        Error::LayerInaccessible { .. } | Error::BlobReferenced(_) => {
            ("LayerInaccessibleException", BAD)
        }
        Error::LayerAlreadyExists { .. } => ("LayerAlreadyExistsException", BAD),
        Error::UploadNotFound { .. } => ("UploadNotFoundException", BAD),
        Error::InvalidLayerPart { .. } | Error::InvalidLayerPartLength { .. } => {
            ("InvalidLayerPartException", BAD)
        }
        Error::InvalidLayer => ("InvalidLayerException", BAD),
        Error::EmptyUpload { .. } => ("EmptyUploadException", BAD),
        Error::LayerPartTooSmall => ("LayerPartTooSmallException", BAD),
        Error::BodyBroken(_) => ("RequestAbortedException", BAD),
        // SDKs send it again.
        Error::BodyLate(_) => ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT),
        Error::Identity { fault, .. } => (fault.code(), BAD),
        Error::AccessDenied(_) => ("AccessDeniedException", BAD),
        Error::AuthenticationRequired => ("MissingAuthenticationTokenException", BAD),
        Error::UnrecognizedClient => ("UnrecognizedClientException", StatusCode::FORBIDDEN),
        // InitiateLayerUpload declares no error for it, and the throttle is common to all operations.
        Error::Throttled(_) | Error::TooManyFailures(_) | Error::TooManyUploads(_) => {
            ("ThrottlingException", BAD)
        }
        Error::Stale | Error::NotAlone | Error::Unavailable => {
            ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE)
        }
        Error::Internal(_) => ("ServerException", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn manifest_code(error: &ManifestError) -> (&'static str, StatusCode) {
    match error {
        ManifestError::TooManyDescriptors(_) => ("LimitExceededException", StatusCode::BAD_REQUEST),
        ManifestError::TooLarge(_)
        | ManifestError::NotJson
        | ManifestError::Invalid(_)
        | ManifestError::MediaTypeMissing
        | ManifestError::MediaTypeMismatch { .. }
        | ManifestError::Unsupported(_)
        | ManifestError::Ambiguous => ("InvalidParameterException", StatusCode::BAD_REQUEST),
    }
}
