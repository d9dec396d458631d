//! What stands between braces in a target's commands.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::client::Location;
use crate::config::TargetConfig;

/// The values of one started target.
#[derive(Debug)]
pub(super) struct Placeholders {
    /// The server's base address, without a final slash.
    pub(super) url: String,
    /// Environment variables, filled in.
    pub(super) environment: Vec<(String, String)>,
    values: Vec<(&'static str, String)>,
}

impl Placeholders {
    /// Chooses a free port unless the server already has an address.
    pub(super) fn new(config: &TargetConfig, dir: &Path, data: &Path) -> Result<Self> {
        let url = match &config.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://127.0.0.1:{}", free_port()?),
        };
        let authority = Location::parse(&url)?
            .authority
            .context("a target's url is not absolute")?;
        let port = authority
            .rsplit_once(':')
            .map_or("80", |(_, port)| port)
            .to_owned();
        let values = vec![
            ("{port}", port),
            ("{port2}", free_port()?.to_string()),
            ("{port3}", free_port()?.to_string()),
            ("{dir}", dir.display().to_string()),
            ("{data}", data.display().to_string()),
            ("{config}", dir.join("config").display().to_string()),
            ("{url}", url.clone()),
            ("{authority}", authority),
        ];
        let mut placeholders = Self {
            url,
            environment: Vec::new(),
            values,
        };
        placeholders.environment = config
            .env
            .iter()
            .map(|(name, value)| (name.clone(), placeholders.fill(value)))
            .collect();
        Ok(placeholders)
    }

    /// Replaces every placeholder in `text`.
    pub(super) fn fill(&self, text: &str) -> String {
        self.values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_learn_the_port_and_directory() {
        let config = TargetConfig {
            url: Some("http://localhost:81/".to_owned()),
            ..TargetConfig::default()
        };
        let placeholders =
            Placeholders::new(&config, Path::new("/d"), Path::new("/d/data")).unwrap();
        assert_eq!(
            placeholders.fill("run -p {port} {dir} {config} {url}"),
            "run -p 81 /d /d/config http://localhost:81"
        );
    }
}
