//! Who asks: credentials as `docker login` and its helpers keep them.

use std::{
    collections::HashMap,
    env, fmt, fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::Address;
use crate::remote::Remote;

/// What a registry is told about who asks.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// Nothing.
    Nobody,
    /// A user's name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that others are given for (`identitytoken` of Docker's configuration).
    Identity(String),
    /// The password that `GetAuthorizationToken` gives.
    Aws(Box<Remote>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Password { .. } => "Password",
            Self::Identity(_) => "Identity",
            Self::Aws(_) => "Aws",
        })
    }
}

/// Docker's `config.json`, as far as it is about credentials.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerConfig {
    auths: HashMap<String, Login>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// Looks for credentials where `docker login` keeps them: `config.json` in `DOCKER_CONFIG`, or in `~/.docker`. Blocks.
pub(crate) fn in_docker_config(address: &Address) -> anyhow::Result<Credentials> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".docker"));
    let Some(dir) = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(home)
    else {
        return Ok(Credentials::Nobody);
    };
    let path = dir.join("config.json");
    let Ok(text) = fs::read(&path) else {
        return Ok(Credentials::Nobody);
    };
    let config: DockerConfig = serde_json::from_slice(&text)
        .with_context(|| format!("`{}` is not valid", path.display()))?;
    config.find(address)
}

impl DockerConfig {
    fn find(&self, address: &Address) -> anyhow::Result<Credentials> {
        let names = names(address);
        let helper = names.iter().find_map(|name| self.cred_helpers.get(name));
        if let Some(helper) = helper {
            return Ok(ask(helper, &names)?.unwrap_or(Credentials::Nobody));
        }
        if let Some(login) = names.iter().find_map(|name| self.auths.get(name)) {
            let found = login.read()?;
            if !matches!(found, Credentials::Nobody) {
                return Ok(found);
            }
        }
        match &self.creds_store {
            Some(store) => Ok(ask(store, &names)?.unwrap_or(Credentials::Nobody)),
            None => Ok(Credentials::Nobody),
        }
    }
}

/// The names by which tools keep a registry's credentials.
fn names(address: &Address) -> Vec<String> {
    let host = if address.is_docker_hub() {
        "index.docker.io"
    } else {
        &address.host
    };
    let mut names = vec![
        host.to_owned(),
        format!("https://{host}"),
        format!("http://{host}"),
        format!("https://{host}/v1/"),
        format!("https://{host}/v2/"),
    ];
    if address.is_docker_hub() {
        names.push("docker.io".to_owned());
    }
    names
}

impl Login {
    fn read(&self) -> anyhow::Result<Credentials> {
        if let Some(token) = self
            .identitytoken
            .as_ref()
            .filter(|token| !token.is_empty())
        {
            return Ok(Credentials::Identity(token.clone()));
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let decoded = STANDARD.decode(auth).ok();
            let text = decoded.and_then(|decoded| String::from_utf8(decoded).ok());
            let pair = text.as_deref().and_then(|text| text.split_once(':'));
            let (user, password) =
                pair.context("Docker's configuration has a login that cannot be read")?;
            return Ok(Credentials::Password {
                user: user.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            });
        }
        Ok(match (&self.username, &self.password) {
            (Some(user), Some(password)) => Credentials::Password {
                user: user.clone(),
                password: password.clone(),
            },
            _ => Credentials::Nobody,
        })
    }
}

/// Asks `docker-credential-HELPER` for the first of `names` that it knows.
fn ask(helper: &str, names: &[String]) -> anyhow::Result<Option<Credentials>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if helper.is_empty() || !helper.bytes().all(is_plain) {
        bail!("`{helper}` is no credential helper");
    }
    for name in names {
        if let Some(found) = get(helper, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn get(helper: &str, name: &str) -> anyhow::Result<Option<Credentials>> {
    let program = format!("docker-credential-{helper}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("`{program}` cannot be run"))?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read tells so by how it ends.
        let _ = input.write_all(name.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Ok(None);
    }
    let helped: Helped = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{program}` prints no credentials"))?;
    Ok(Some(if helped.username == "<token>" {
        Credentials::Identity(helped.secret)
    } else {
        Credentials::Password {
            user: helped.username,
            password: helped.secret,
        }
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(config: &serde_json::Value, host: &str) -> Credentials {
        let config: DockerConfig = serde_json::from_value(config.clone()).unwrap();
        config.find(&Address::parse(host).unwrap().0).unwrap()
    }

    #[test]
    fn logins_are_found_by_the_names_that_tools_give() {
        let auth = STANDARD.encode("user:pass:word");
        for (key, host) in [
            ("registry.example:5000", "registry.example:5000"),
            ("https://registry.example", "registry.example"),
            ("https://index.docker.io/v1/", "docker.io"),
        ] {
            let config = json!({ "auths": { key: { "auth": auth } } });
            let Credentials::Password { user, password } = found(&config, host) else {
                panic!("nothing for {host}");
            };
            assert_eq!((user.as_str(), password.as_str()), ("user", "pass:word"));
            assert!(matches!(
                found(&config, "other.example"),
                Credentials::Nobody
            ));
        }
        let token = json!({ "auths": { "h.example": { "identitytoken": "t" } } });
        assert!(matches!(
            found(&token, "h.example"),
            Credentials::Identity(_)
        ));
    }

    #[test]
    fn a_helper_is_a_plain_name() {
        for helper in ["", "../sh", "a b", "x;y"] {
            let config: DockerConfig =
                serde_json::from_value(json!({ "credsStore": helper })).unwrap();
            let address = Address::parse("h.example").unwrap().0;
            assert!(config.find(&address).is_err(), "{helper}");
        }
    }
}
