//! An OpenID Connect provider for one case, as a build service or a cluster runs one: HTTPS by `openssl s_server`, tokens
//! signed by `openssl dgst`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::tls::Authority;

const KEY_ID: &str = "one";

/// A running provider at `https://localhost:PORT`.
pub(crate) struct Issuer {
    child: Child,
    directory: TempDir,
    authority: Authority,
    port: u16,
}

impl Issuer {
    pub(crate) fn start() -> Result<Self> {
        let directory = TempDir::with_prefix("longshore-issuer-")?;
        let authority = Authority::of(&["localhost"])?;
        let mut child = Command::new("openssl")
            .args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert"])
            .arg(authority.certificate())
            .arg("-key")
            .arg(authority.key())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run openssl")?;
        let stdout = child
            .stdout
            .take()
            .context("openssl has no standard output")?;
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| {
                line.strip_prefix("ACCEPT ")?
                    .rsplit_once(':')?
                    .1
                    .parse()
                    .ok()
            })
            .context("openssl does not listen")?;
        let issuer = Self {
            child,
            directory,
            authority,
            port,
        };
        issuer.publish()?;
        Ok(issuer)
    }

    /// Its host and port.
    pub(crate) fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// What the server must trust to talk to it.
    pub(crate) fn ca(&self) -> PathBuf {
        self.authority.bundle()
    }

    /// A token for `sts.amazonaws.com` about `subject`, good for five minutes.
    pub(crate) fn token(&self, subject: &str) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let part = |value: &Value| BASE64.encode(value.to_string());
        let header = part(&json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}));
        let claims = part(&json!({
            "iss": format!("https://{}", self.name()), "aud": "sts.amazonaws.com", "sub": subject,
            "iat": now, "exp": now + 300,
        }));
        let message = format!("{header}.{claims}");
        let signature = self.openssl(
            &["dgst", "-sha256", "-sign", "token.key"],
            message.as_bytes(),
        )?;
        Ok(format!("{message}.{}", BASE64.encode(signature)))
    }

    fn publish(&self) -> Result<()> {
        self.openssl(&["genrsa", "-out", "token.key", "2048"], b"")?;
        let modulus = self.openssl(&["rsa", "-in", "token.key", "-noout", "-modulus"], b"")?;
        let modulus = String::from_utf8(modulus)?;
        let modulus = modulus
            .trim()
            .strip_prefix("Modulus=")
            .context("no modulus")?;
        let key = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
            "n": BASE64.encode(bytes(modulus)?), "e": "AQAB"});
        let url = format!("https://{}", self.name());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let path = |name: &str| self.directory.path().join(name);
        fs::create_dir(path(".well-known"))?;
        fs::write(
            path(".well-known/openid-configuration"),
            discovery.to_string(),
        )?;
        Ok(fs::write(path("keys"), json!({"keys": [key]}).to_string())?)
    }

    fn openssl(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        let mut child = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        child
            .stdin
            .take()
            .context("no standard input")?
            .write_all(input)?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "openssl {} failed",
            arguments.join(" ")
        );
        Ok(output.stdout)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // Nothing is lost if it already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads hexadecimal digits.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.map(byte).collect()
}
