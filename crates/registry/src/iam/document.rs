//! Policy documents as they come in and go out.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::member;
use crate::error::{Fault, Result};

const MAX: usize = 131_072;
/// What stays as it is when IAM writes a document into an answer (RFC 3986).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Writes a document as IAM's answers carry it.
pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

/// Returns how long a document is to IAM, which counts no white space.
pub(crate) fn size(document: &str) -> usize {
    document
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .count()
}

/// Checks the length and characters of a member that holds a document.
pub(crate) fn check_text(member: &str, document: &str) -> Result<()> {
    member::length(member, document, 1, MAX)?;
    let fits = document
        .chars()
        .all(|letter| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{ff}'));
    member::pattern(
        member,
        document,
        fits,
        r"[\u0009\u000A\u000D\u0020-\u00FF]+",
    )
}

/// Checks a trust policy.
pub(crate) fn check_trust(member: &str, document: &str) -> Result<()> {
    const MAX_TRUST: usize = 2048;
    check_text(member, document)?;
    if serde_json::from_str::<serde_json::Value>(document).is_err() {
        return Err(Fault::MalformedPolicyDocument.because("This policy contains invalid Json"));
    }
    if size(document) > MAX_TRUST {
        return Err(Fault::LimitExceeded.because(format!(
            "Cannot exceed quota for ACLSizePerRole: {MAX_TRUST}"
        )));
    }
    Ok(())
}
