//! What an answer says, in one line, and what it should say.

use super::rules::Refusal;
use crate::harness::Answer;

/// How an API writes what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// JSON 1.1: `ecr` and `organizations`.
    Json,
    /// Query: `iam` and `sts`.
    Query,
    /// OCI distribution.
    V2,
    /// The same without a body.
    V2Head,
}

impl Wire {
    pub(super) fn of(service: &str) -> Self {
        match service {
            "iam" | "sts" => Self::Query,
            _ => Self::Json,
        }
    }

    /// What a refusal should be.
    pub(super) fn refusal(self, refusal: &Refusal) -> String {
        let Refusal::Denied {
            caller,
            action,
            resource,
            clause,
        } = refusal
        else {
            return match self {
                Self::Json => "400 MissingAuthenticationTokenException",
                Self::Query => "403 MissingAuthenticationToken",
                Self::V2 => "401 UNAUTHORIZED",
                Self::V2Head => "401",
            }
            .to_owned();
        };
        let text = format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource}"
        );
        let text = if clause.is_empty() {
            text
        } else {
            format!("{text} {clause}")
        };
        match self {
            Self::Json => format!("400 AccessDeniedException {text}"),
            Self::Query => format!("403 AccessDenied {text}"),
            Self::V2 => format!("403 DENIED {text}"),
            Self::V2Head => "403".to_owned(),
        }
    }

    /// What an answer is: the status of a success; of an error the status and code, and the text of a denial.
    pub(super) fn read(self, answer: &Answer) -> String {
        let status = answer.status;
        if status < 400 || self == Self::V2Head {
            return status.to_string();
        }
        let (code, text) = match self {
            Self::Json => {
                let text = answer.json()["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                (answer.fault(), text)
            }
            Self::Query => (
                answer.refusal(),
                unescaped(&answer.element("Message").unwrap_or_default()),
            ),
            Self::V2 | Self::V2Head => answer.error(),
        };
        if matches!(
            code.as_str(),
            "AccessDeniedException" | "AccessDenied" | "DENIED"
        ) {
            format!("{status} {code} {text}")
        } else {
            format!("{status} {code}")
        }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
