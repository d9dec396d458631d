//! What is wrong with a signature, and how AWS names it.

use http::StatusCode;

pub(super) const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
     Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// Why a request is not authenticated. The text is AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing is signed, where a signature is needed.
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature's form is broken or a part of it is absent.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is complete, and does not hold for this request, time or scope.
    #[error("{0}")]
    Invalid(String),
    /// The access key does not exist, or the session token is not its own.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session that the token stands for has ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
}

impl SignatureError {
    pub(super) fn incomplete(text: impl Into<String>) -> Self {
        Self::Incomplete(text.into())
    }

    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    pub(super) fn mismatch() -> Self {
        Self::invalid(MISMATCH)
    }

    /// Returns the error code in the JSON protocol.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignature",
            Self::Invalid(_) => "InvalidSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
        }
    }

    /// Returns the error code in the Query protocol of STS and IAM.
    pub const fn query_code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationToken",
            Self::Incomplete(_) => "IncompleteSignature",
            Self::Invalid(_) => "SignatureDoesNotMatch",
            Self::UnknownKey => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
        }
    }

    /// Returns the status in the JSON protocol: ECR answers a wrong or absent signature with 400.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Incomplete(_) | Self::UnknownKey | Self::ExpiredToken => StatusCode::FORBIDDEN,
        }
    }

    /// Returns the status in the Query protocol.
    pub const fn query_status(&self) -> StatusCode {
        match self {
            Self::Incomplete(_) => StatusCode::BAD_REQUEST,
            Self::Missing | Self::Invalid(_) | Self::UnknownKey | Self::ExpiredToken => {
                StatusCode::FORBIDDEN
            }
        }
    }
}
