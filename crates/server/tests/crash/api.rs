//! Signed calls of the JSON API, by a signer of its own.

use std::{
    io,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::http::{Answer, Connection};
use aws_lc_rs::{digest, hmac};

pub(crate) const KEY_ID: &str = "AKIAPROOFPROOFPROOF1";
pub(crate) const SECRET: &str = "proofproofproofproofproofproofproofproof";
const REGION: &str = "us-east-1";
const TYPE: &str = "application/x-amz-json-1.1";

/// Calls an operation of ECR's API.
pub(crate) fn call(address: SocketAddr, operation: &str, body: &str) -> io::Result<Answer> {
    call_over(Connection::open(address)?, operation, body)
}

/// The same over a connection.
pub(crate) fn call_over(connection: Connection, operation: &str, body: &str) -> io::Result<Answer> {
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let headers = [("content-type", TYPE), ("x-amz-target", &target)];
    post(connection, "ecr", &headers, body)
}

/// Sends a body that is signed for a service.
pub(crate) fn post(
    mut connection: Connection,
    service: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let (host, date) = (connection.server()?.to_string(), now());
    let scope = format!("{}/{REGION}/{service}/aws4_request", &date[..8]);
    let mut headers = headers.to_vec();
    headers.extend([("host", host.as_str()), ("x-amz-date", date.as_str())]);
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let request = format!(
        "POST\n/\n\n{}\n{names}\n{}",
        lines.concat(),
        sha256(body.as_bytes())
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        sha256(request.as_bytes())
    );
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={}",
        hex(&mac(&key, &text))
    );
    headers.push(("authorization", &authorization));
    connection.send("POST", "/", &headers, body.as_bytes())
}

/// Now, as `20261121T103000Z`.
fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let (year, month, day) = date_of(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The date of a day since 1970, counted in years that begin in March.
fn date_of(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
