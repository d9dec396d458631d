//! `GET /token/`: a token for nobody, or for whoever presents a password.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use longshore_registry::{
    Error,
    token::{Purpose, RegistryToken, TOKEN_LIFE},
};
use longshore_types::time::Timestamp;
use serde::Serialize;

use super::{authenticate, error::Wire};
use crate::{
    app::App,
    handle::Call,
    reply::{self, Reply},
};

#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: u64,
    issued_at: String,
}

/// Answers a token request; `scope` and `service` change nothing.
pub(crate) async fn serve(app: &Arc<App>, call: Call) -> Reply {
    match run(app, &call).await {
        Ok(reply) => reply,
        Err(error) => error.reply(app, &call.origin),
    }
}

async fn run(app: &App, call: &Call) -> Result<Reply, Wire> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        return Err(Wire::Method("GET, HEAD"));
    }
    let login = authenticate::login(app, &call.origin, &call.head.headers).await?;
    let now = app.core.meta.now();
    let token = RegistryToken {
        principal: login
            .token
            .as_ref()
            .and_then(|token| token.principal.clone()),
        account: login.registry.account(),
        region: login.registry.region(),
        issued_at: now.as_millis(),
        expires_at: expiry(now, login.token.as_ref()),
    };
    let sealed = app
        .core
        .tokens
        .seal(Purpose::Registry, &token)
        .map_err(Error::internal)?;
    let answer = Answer {
        token: sealed.clone(),
        access_token: sealed,
        expires_in: Timestamp::from_millis(token.expires_at)
            .since(now)
            .as_secs(),
        issued_at: rfc3339(now),
    };
    let mut reply = reply::json(StatusCode::OK, &answer);
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}

/// Never later than the password that was presented.
fn expiry(now: Timestamp, presented: Option<&RegistryToken>) -> i64 {
    let full = now.plus(TOKEN_LIFE).as_millis();
    presented.map_or(full, |token| token.expires_at.min(full))
}

/// `2026-01-31T23:59:59Z`.
fn rfc3339(time: Timestamp) -> String {
    let seconds = time.as_millis().div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day counted from 1970-01-01, in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_millis(seconds * 1000 + 7)), text);
        }
    }

    #[test]
    fn a_token_never_outlives_the_password() {
        let now = Timestamp::from_millis(1_000_000);
        let full = now.plus(TOKEN_LIFE).as_millis();
        assert_eq!(expiry(now, None), full);
        let mut token = RegistryToken {
            principal: None,
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            issued_at: 0,
            expires_at: now.plus(Duration::from_mins(1)).as_millis(),
        };
        assert_eq!(expiry(now, Some(&token)), token.expires_at);
        token.expires_at = i64::MAX;
        assert_eq!(expiry(now, Some(&token)), full);
    }
}
