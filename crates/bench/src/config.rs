//! The file that names the servers to compare.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The servers, in the order of the report.
    #[serde(rename = "target")]
    pub targets: Vec<TargetConfig>,
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An OCI registry.
    #[default]
    Registry,
    /// A web server that serves the plain files of `{data}`: the yardstick of pulls.
    Static,
}

/// One server.
///
/// In commands, `config`, `host`, `replicas` and `env`, `{port}`, `{port2}`, `{port3}`, `{dir}` (empty, fresh), `{data}`,
/// `{config}` (the file that `config` became), `{url}` and `{authority}` are replaced.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// The name in the report.
    pub name: String,
    /// Registry or static file server.
    pub kind: Kind,
    /// The shell command that starts it in the foreground.
    pub command: Option<String>,
    /// The address of a server that already runs, instead of `command`.
    pub url: Option<String>,
    /// The process to measure of a server that already runs.
    pub pid: Option<u32>,
    /// The addresses of further servers on the same stores, which `command` starts, too: clients go to all of them in turn.
    pub replicas: Vec<String>,
    /// The `Host` header, where the server tells its registries apart by it.
    pub host: Option<String>,
    /// The text of a configuration file.
    pub config: Option<String>,
    /// Environment variables for every command.
    pub env: BTreeMap<String, String>,
    /// `user:password`.
    pub auth: Option<String>,
    /// A shell command that prints `user:password`, run once the server is ready.
    pub auth_command: Option<String>,
    /// A shell command run once before a `{repository}` is used.
    pub prepare: Option<String>,
    /// A shell command that gives `{repository}` its `{tags}` tags named `t0000000` upwards, instead of pushing them.
    pub preload_tags: Option<String>,
    /// A shell command that prints `id:secret` of a key for ECR's API, run once the server is ready.
    pub keys_command: Option<String>,
    /// A shell command that makes `{images}` images of the one in `{repository}`, instead of pushing them.
    pub preload_images: Option<String>,
    /// A shell command that makes `{repositories}` repositories like `{repository}`.
    pub preload_repositories: Option<String>,
    /// A shell command that prints a number that grows, such as calls that were made of another service: what it grew by in a
    /// round, for each operation, is the figure `counted`.
    pub count_command: Option<String>,
    /// The largest count of tags or images this server is asked to hold.
    pub max_tags: Option<u64>,
}

impl Config {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let config: Self =
            toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        for target in &config.targets {
            target.check()?;
        }
        Ok(config)
    }
}

impl TargetConfig {
    fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            bail!("a target has no name");
        }
        if self.command.is_some() == self.url.is_some() {
            bail!("target `{}` needs either `command` or `url`", self.name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets.example.toml");
        let config = Config::read(&path).unwrap();
        assert!(
            config
                .targets
                .iter()
                .any(|target| target.kind == Kind::Static)
        );
    }

    #[test]
    fn a_target_is_either_started_or_found() {
        let both = "[[target]]\nname = 'a'\ncommand = 'x'\nurl = 'http://localhost:1'";
        let config: Config = toml::from_str(both).unwrap();
        assert!(config.targets[0].check().is_err());
    }
}
