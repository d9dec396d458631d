//! The `Credential` parameter: an access key id and the scope of the signing key.

use super::date::AmzDate;
use super::error::SignatureError;

const TERMINATOR: &str = "aws4_request";

/// Who signed, and for what: `access key id/date/region/service/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    access_key_id: String,
    date: String,
    region: String,
    service: String,
    terminator: String,
}

impl Credential {
    /// Who signs for what on a day.
    pub(super) fn new(access_key_id: &str, date: &str, region: &str, service: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: TERMINATOR.to_owned(),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next();
        let five = (next(), next(), next(), next(), next(), next());
        let (Some(access_key_id), Some(date), Some(region), Some(service), Some(terminator), None) =
            five
        else {
            return Err(SignatureError::incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
            )));
        };
        Ok(Self {
            access_key_id,
            date,
            region,
            service,
            terminator,
        })
    }

    /// Returns the id of the access key.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Returns the day that the signing key is for, as `20150830`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Returns the Region that the signing key is for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the service that the signing key is for.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Writes the scope as the string to sign has it.
    pub(super) fn scope(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.date, self.region, self.service, self.terminator
        )
    }

    /// Checks the parts that do not depend on the service: the terminator, and the date against the request's.
    pub(super) fn problems(&self, signed_at: AmzDate) -> Vec<String> {
        let mut problems = Vec::new();
        if self.terminator != TERMINATOR {
            problems.push(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                self.terminator
            ));
        }
        let day = signed_at.day();
        if self.date != day {
            problems.push(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{day}', from '{signed_at}'.",
                self.date
            ));
        }
        problems
    }
}
