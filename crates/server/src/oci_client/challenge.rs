//! `WWW-Authenticate`: how a registry wants to be told who asks (RFC 9110, section 11.6.1).

use http::{HeaderMap, header};

/// A way to authenticate that a registry offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token of the server at `realm`.
    Bearer {
        /// The URL that gives tokens.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What it must be good for.
        scope: Option<String>,
    },
}

/// Returns what an answer offers, tokens before passwords.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let found = |scheme: &str| {
        texts.iter().find_map(|text| {
            let at = position(text, scheme)?;
            text.get(at + scheme.len()..)
        })
    };
    let bearer = found("bearer").and_then(|rest| {
        let parameters = parameters(rest);
        let value = |wanted: &str| {
            let mut all = parameters.iter();
            let pair = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            pair.map(|(_, value)| value.clone())
        };
        Some(Challenge::Bearer {
            realm: value("realm")?,
            service: value("service"),
            scope: value("scope"),
        })
    });
    bearer.or_else(|| found("basic").map(|_| Challenge::Basic))
}

/// Where a scheme's name begins, outside of quotes.
fn position(text: &str, scheme: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let mut found = lower.match_indices(scheme).map(|(at, _)| at);
    found.find(|&at| {
        let before = lower.get(..at).unwrap_or_default();
        let after = lower.get(at + scheme.len()..).unwrap_or_default();
        let is_outside = before.matches('"').count() % 2 == 0;
        let begins = before.is_empty() || before.ends_with([' ', ',']);
        is_outside && begins && (after.is_empty() || after.starts_with([' ', ',']))
    })
}

/// Reads `name="value", name=value` up to the next scheme.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim();
        if name.is_empty() || name.contains([' ', ',']) {
            break;
        }
        let after = after.trim_start();
        let (value, left) = if let Some(quoted) = after.strip_prefix('"') {
            quoted_text(quoted)
        } else {
            let end = after.find([',', ' ']).unwrap_or(after.len());
            let (value, left) = after.split_at(end);
            (value.to_owned(), left)
        };
        found.push((name.to_owned(), value));
        rest = left.trim_start_matches([',', ' ', '\t']);
    }
    found
}

/// The text up to the closing quote, and what follows it.
fn quoted_text(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        challenge(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn the_forms_of_known_registries_are_read() {
        // Docker Hub, GitHub, Harbor, zot, Distribution with htpasswd, ECR, Longshore.
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push""#;
        assert_eq!(
            read(&[hub]),
            Some(bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/busybox:pull,push")
            ))
        );
        let github = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#;
        assert!(matches!(read(&[github]), Some(Challenge::Bearer { .. })));
        let spaced =
            r#"bearer realm="https://harbor.example/service/token" , service=harbor-registry"#;
        assert_eq!(
            read(&[spaced]),
            Some(bearer(
                "https://harbor.example/service/token",
                Some("harbor-registry"),
                None
            ))
        );
        for basic in [
            "Basic realm=\"zot\"",
            "basic",
            "Basic realm=\"https://h/\",service=\"ecr.amazonaws.com\"",
        ] {
            assert_eq!(read(&[basic]), Some(Challenge::Basic), "{basic}");
        }
    }

    #[test]
    fn of_several_the_token_is_taken() {
        let expected = Some(bearer("https://t/", None, None));
        assert_eq!(
            read(&["Basic realm=\"x\"", "Bearer realm=\"https://t/\""]),
            expected
        );
        assert_eq!(
            read(&["Basic realm=\"x\", Bearer realm=\"https://t/\""]),
            expected
        );
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for text in [
            "",
            "Negotiate",
            "Bearer",
            "Bearer service=\"x\"",
            "Digest realm=\"basic auth\"",
            "realm=\"bearer\"",
        ] {
            assert_eq!(read(&[text]), None, "{text}");
        }
        let unclosed = read(&[r#"Bearer realm="a\"b"#]);
        assert_eq!(unclosed, Some(bearer("a\"b", None, None)));
    }
}
