//! Signs requests as AWS's clients do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use longshore::first_start::Credentials;

use super::{client::Request, image::hex};

/// Signs a request for `service` in `region` now.
pub(crate) fn sign(
    request: Request,
    credentials: &Credentials,
    region: &str,
    service: &str,
) -> Request {
    sign_at(request, credentials, region, service, now())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Signs a request at a time since 1970.
pub(crate) fn sign_at(
    request: Request,
    credentials: &Credentials,
    region: &str,
    service: &str,
    time: Duration,
) -> Request {
    let stamp = stamp(time.as_secs());
    let request = request.header("X-Amz-Date", stamp.clone());
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.push(("host".to_owned(), request.address.to_string()));
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    let lines = lines.join("\n");
    let canonical = format!(
        "{}\n{}\n\n{lines}\n\n{names}\n{}",
        request.method,
        request.target,
        sha256(&request.body)
    );
    let date = &stamp[..8];
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let string = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        sha256(canonical.as_bytes())
    );
    let mut key = format!("AWS4{}", credentials.key.secret).into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &string));
    let id = &credentials.key.id;
    request.header(
        "Authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
    )
}

fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut day) = (1970, days);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [
        31,
        28 + u64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z",
        day + 1
    )
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
        .as_ref()
        .to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
