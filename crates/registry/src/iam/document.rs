//! Policy documents as they come in and go out.

use longshore_policy::{InvalidPolicy, Kind, Policy, Version};
use longshore_store::meta::Tx;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{member, quota};
use crate::{
    error::{Error, Fault, Result},
    named::{self, Unknown},
    table::target::PolicyRow,
};

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
pub(crate) fn size(document: &str) -> i64 {
    let counted = document.chars().filter(|letter| !letter.is_whitespace());
    i64::try_from(counted.count()).unwrap_or(i64::MAX)
}

/// Checks the policy of a user, group or role.
pub(crate) fn check_identity(member: &str, document: &str) -> Result<Policy> {
    check(member, document, Kind::Identity)
}

/// Checks a managed policy, which must be of the current version of the language.
pub(crate) fn check_managed(member: &str, document: &str) -> Result<()> {
    let policy = check(member, document, Kind::Identity)?;
    if policy.version() != Version::V2012 {
        return Err(malformed(&InvalidPolicy::OldVersion));
    }
    check_size("PolicySize", document, quota::POLICY_SIZE)
}

/// Checks a trust policy.
pub(crate) fn check_trust(member: &str, document: &str) -> Result<Policy> {
    let policy = check(member, document, Kind::Trust)?;
    check_size("ACLSizePerRole", document, quota::ASSUME_ROLE_POLICY_SIZE)?;
    Ok(policy)
}

/// Binds a trust policy to the principals that it names, all of which must exist now.
pub(crate) fn bind_trust(tx: &mut dyn Tx, document: &str, policy: &Policy) -> Result<PolicyRow> {
    named::bind(tx, document, policy)?.map_err(|Unknown(principal)| {
        malformed(&InvalidPolicy::InvalidPrincipal(format!(
            "\"AWS\":\"{principal}\""
        )))
    })
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

fn check(member: &str, document: &str, kind: Kind) -> Result<Policy> {
    check_text(member, document)?;
    Policy::parse(document, kind).map_err(|error| malformed(&error))
}

fn malformed(error: &InvalidPolicy) -> Error {
    Fault::MalformedPolicyDocument.because(error.to_string())
}

fn check_size(quota: &str, document: &str, most: i64) -> Result<()> {
    if size(document) <= most {
        return Ok(());
    }
    Err(Fault::LimitExceeded.because(format!("Cannot exceed quota for {quota}: {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_documents_escaped() {
        assert_eq!(
            encoded("{\"a\": [\"*/-_.~\"]}\n"),
            "%7B%22a%22%3A%20%5B%22%2A%2F-_.~%22%5D%7D%0A"
        );
    }

    #[test]
    fn white_space_is_not_counted() {
        assert_eq!(size(" { \"a b\"\n}\t"), 6);
    }
}
