//! What can go wrong with a registry.

use http::StatusCode;

/// A registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No whole answer came.
    #[error("{url} cannot be reached: {reason}")]
    Lost {
        /// What was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// The registry has nothing of that name.
    #[error("{url} answers {}{}", StatusCode::NOT_FOUND, told(.message))]
    Absent {
        /// What was asked.
        url: String,
        /// What it says about it.
        message: String,
    },
    /// The registry refuses, or whom it sends to does.
    #[error("{url} answers {status}{}", told(.message))]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: StatusCode,
        /// What it says about it.
        message: String,
    },
    /// What came cannot be.
    #[error("{url}: {what}")]
    Wrong {
        /// What was asked.
        url: String,
        /// What is wrong.
        what: String,
    },
}

fn told(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl ClientError {
    /// Whether the registry answered that there is nothing of that name. Where a token was not to be had, or bytes were not
    /// where the registry said, it has not.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    /// Whether asking again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Refused { status, .. } => may_pass(*status),
            Self::Absent { .. } | Self::Wrong { .. } => false,
        }
    }

    pub(super) fn wrong(url: &str, what: impl std::fmt::Display) -> Self {
        Self::Wrong {
            url: url.to_owned(),
            what: what.to_string(),
        }
    }

    pub(super) fn lost(url: &str, reason: impl std::fmt::Display) -> Self {
        Self::Lost {
            url: url.to_owned(),
            reason: reason.to_string(),
        }
    }
}

pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The text of an answer in the form of the OCI specification, or of the APIs of AWS.
pub(super) fn message(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &json["errors"][0];
    let parts = [
        &first["code"],
        &first["message"],
        &json["message"],
        &json["details"],
    ];
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.as_str()).collect();
    texts.join(": ").chars().take(500).collect()
}
