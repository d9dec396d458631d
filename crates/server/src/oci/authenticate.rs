//! From the `Authorization` header to a caller and the registry that it means.

use std::fmt;

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header};
use longshore_registry::{Error, principal::Caller, token::RegistryToken};
use longshore_types::account::Registry;

use crate::{app::App, host::HostKind, origin::Origin};

/// Standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// `AWS:` in base64, as far as it does not depend on what follows.
const ENCODED_USER: &str = "QVdTO";

/// Who calls, and which registry `/v2` means for them.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) caller: Caller,
    pub(super) registry: Registry,
    /// The token behind the caller, if there is one.
    pub(super) token: Option<RegistryToken>,
}

/// The credentials are not good.
#[derive(Debug)]
pub(super) enum Refusal {
    /// They never were, or the client should get new ones as the challenge says.
    Unauthorized,
    /// They were good as Basic credentials once.
    Expired,
    /// The store cannot tell.
    Failed(Error),
}

/// What a client presents; it is not printed.
#[derive(PartialEq, Eq)]
enum Presented {
    Nothing,
    Basic(String),
    Bearer(String),
    Garbled,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Basic(_) => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
            Self::Garbled => "Garbled",
        })
    }
}

/// Resolves the credentials of a request. No credentials are nobody, which is an identity, too.
pub(super) async fn login(
    app: &App,
    origin: &Origin,
    headers: &HeaderMap,
) -> Result<Login, Refusal> {
    let (password, is_basic) = match presented(headers) {
        Presented::Nothing => return Ok(anonymous(app, origin)),
        Presented::Garbled => return Err(unknown(app, origin)),
        Presented::Basic(password) => (password, true),
        Presented::Bearer(password) => (password, false),
    };
    let token = app
        .core
        .tokens
        .open_registry(&password)
        .ok_or_else(|| unknown(app, origin))?;
    let registry = registry(origin.kind, &token).ok_or(Refusal::Unauthorized)?;
    if token.is_expired(app.core.meta.now()) {
        return Err(if is_basic {
            Refusal::Expired
        } else {
            Refusal::Unauthorized
        });
    }
    let caller = caller(app, &token).await?;
    Ok(Login {
        caller,
        registry,
        token: Some(token),
    })
}

/// Refuses what was never a password here.
fn unknown(app: &App, origin: &Origin) -> Refusal {
    let counted = app
        .backoff
        .unknown(origin.client, app.core.meta.system_now());
    counted.map_or_else(Refusal::Failed, |()| Refusal::Unauthorized)
}

fn anonymous(app: &App, origin: &Origin) -> Login {
    let registry = match origin.kind {
        HostKind::Private(registry) => registry,
        HostKind::Public => Registry::public(app.core.first_registry().account()),
        HostKind::Api | HostKind::Own => app.core.first_registry(),
    };
    Login {
        caller: Caller::Anonymous,
        registry,
        token: None,
    }
}

/// A token is good in its own Region only, and one of public registries has none.
fn registry(kind: HostKind, token: &RegistryToken) -> Option<Registry> {
    match kind {
        HostKind::Private(registry) => (registry.region() == token.region).then_some(registry),
        HostKind::Public => token.region.is_none().then(|| token.registry()),
        HostKind::Api | HostKind::Own => Some(token.registry()),
    }
}

async fn caller(app: &App, token: &RegistryToken) -> Result<Caller, Refusal> {
    let Some(holder) = &token.holder else {
        return Ok(Caller::Anonymous);
    };
    let known = holder.known(&app.core).await.map_err(Refusal::Failed)?;
    known.map(Caller::Known).ok_or(Refusal::Unauthorized)
}

fn presented(headers: &HeaderMap) -> Presented {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Presented::Nothing,
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Presented::Garbled,
    };
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        decoded(credentials).map_or(Presented::Garbled, Presented::Basic)
    } else if scheme.eq_ignore_ascii_case("bearer") && !credentials.is_empty() {
        let encoded = credentials
            .starts_with(ENCODED_USER)
            .then(|| decoded(credentials))
            .flatten();
        Presented::Bearer(encoded.unwrap_or_else(|| credentials.to_owned()))
    } else {
        Presented::Garbled
    }
}

/// The password in `base64(AWS:PASSWORD)`.
fn decoded(credentials: &str) -> Option<String> {
    let text = String::from_utf8(BASE64.decode(credentials).ok()?).ok()?;
    text.strip_prefix("AWS:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Presented {
        let values = values
            .iter()
            .map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        presented(&headers)
    }

    #[test]
    fn all_documented_forms_carry_the_password() {
        let basic = Presented::Basic("pass-word_1".to_owned());
        assert_eq!(read(&["Basic QVdTOnBhc3Mtd29yZF8x"]), basic);
        assert_eq!(read(&["basic  QVdTOnBhc3Mtd29yZF8x"]), basic);
        let bearer = Presented::Bearer("pass-word_1".to_owned());
        assert_eq!(read(&["Bearer pass-word_1"]), bearer);
        assert_eq!(read(&["bearer QVdTOnBhc3Mtd29yZF8x"]), bearer);
        assert_eq!(read(&[]), Presented::Nothing);
    }

    #[test]
    fn padding_is_optional() {
        assert_eq!(read(&["Basic QVdTOmFi"]), Presented::Basic("ab".to_owned()));
        assert_eq!(read(&["Basic QVdTOmE="]), Presented::Basic("a".to_owned()));
        assert_eq!(read(&["Basic QVdTOmE"]), Presented::Basic("a".to_owned()));
    }

    #[test]
    fn anything_else_is_garbled() {
        for value in [
            "",
            "Basic",
            "Basic !",
            "Basic cm9vdDpwYXNz",
            "Bearer",
            "Negotiate x",
            "AWS4-HMAC-SHA256 x",
        ] {
            assert_eq!(read(&[value]), Presented::Garbled, "{value}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), Presented::Garbled);
    }
}
