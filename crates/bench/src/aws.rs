//! Signed calls of ECR's API (Signature Version 4).

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use aws_lc_rs::hmac;

use crate::client::{Body, Connection, Request, Response, Sink};
use crate::payload::{digest, hex, mix};

/// The Region of the servers that are measured.
pub(crate) const REGION: &str = "us-east-1";
const SERVICE: &str = "ecr";

/// The administrator's key.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        let letters: String = format!("{:016X}", mix(seed));
        Self {
            id: format!("AKIA{letters}"),
            secret: format!("{:016x}{:016x}{:08x}", mix(seed ^ 1), mix(seed ^ 2), 7),
        }
    }

    /// The headers of a call, `Host` apart; signatures go by the system's time.
    pub(crate) fn sign(
        &self,
        host: &str,
        region: &str,
        target: &str,
        body: &str,
    ) -> Vec<(&'static str, String)> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let date = timestamp(since.map_or(0, |since| since.as_secs()).cast_signed());
        let kind = "application/x-amz-json-1.1";
        let names = "content-type;host;x-amz-date;x-amz-target";
        let request = format!(
            "POST\n/\n\ncontent-type:{kind}\nhost:{host}\nx-amz-date:{date}\nx-amz-target:{target}\n\n{names}\n{}",
            sha256(body)
        );
        let scope = format!("{}/{region}/{SERVICE}/aws4_request", &date[..8]);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&request));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = mac(&key, part);
        }
        let mut authorization = format!("AWS4-HMAC-SHA256 Credential={}/{scope}, ", self.id);
        let signature = hex(&mac(&key, &text));
        let _ = write!(
            authorization,
            "SignedHeaders={names}, Signature={signature}"
        );
        vec![
            ("Content-Type", kind.to_owned()),
            ("X-Amz-Date", date),
            ("X-Amz-Target", target.to_owned()),
            ("Authorization", authorization),
        ]
    }

    /// Makes a signed call to a Region over a connection, whatever the answer is.
    pub(crate) async fn call(
        &self,
        connection: &mut Connection,
        region: &str,
        target: &str,
        body: &str,
    ) -> Result<Response> {
        let signed = self.sign(&connection.endpoint().authority, region, target, body);
        let headers: Vec<_> = signed
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let request = Request {
            method: "POST",
            path: "/",
            headers: &headers,
            body: Body::Sized(&[body.as_bytes()]),
            sink: Sink::Keep,
        };
        connection.send(&request).await
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

fn sha256(text: &str) -> String {
    digest(text.as_bytes())
        .trim_start_matches("sha256:")
        .to_owned()
}

/// A time as `20261121T103000Z`.
fn timestamp(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let (hour, minute, second) = (
        seconds.rem_euclid(86_400) / 3_600,
        seconds / 60 % 60,
        seconds % 60,
    );
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The date of a day since 1970, counted in years that begin in March.
fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_signatures_want_them() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(1_709_210_096), "20240229T123456Z");
        assert_eq!(timestamp(1_798_761_599), "20261231T235959Z");
    }
}
