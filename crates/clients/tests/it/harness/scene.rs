//! The stage of one case: its own home directory, configuration, repository names and commands.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::case::Outcome;
use super::command::Command;
use super::world::World;

const TARGET: &str = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921";

/// What one case may use; nothing of it is shared with another case.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    name: String,
    home: TempDir,
}

impl<'a> Scene<'a> {
    /// Sets the stage for a case; `name` is `client/case` and begins the names of its repositories.
    pub(crate) fn new(world: &'a World, name: &str) -> Result<Self> {
        let home = TempDir::with_prefix("longshore-case-")?;
        fs::create_dir_all(home.path().join("docker"))?;
        Ok(Self {
            world,
            name: name.replace('_', "-"),
            home,
        })
    }

    /// A path inside the case's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into the case's own directory and returns its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes)?;
        Ok(path)
    }

    /// The `HOST:PORT` of the server under test.
    pub(crate) fn host(&self) -> &str {
        self.world.server.authority()
    }

    /// What this case's repository names begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.name
    }

    /// Creates a repository and returns its name.
    pub(crate) fn repository(&self, suffix: &str) -> Result<String> {
        self.repository_with(suffix, &json!({}))
    }

    /// Creates a repository with more members in the request and returns its name.
    pub(crate) fn repository_with(&self, suffix: &str, members: &Value) -> Result<String> {
        let name = format!("{}/{suffix}", self.name);
        let mut request = json!({"repositoryName": name});
        for (member, value) in members.as_object().into_iter().flatten() {
            request[member] = value.clone();
        }
        self.api("CreateRepository", &request)?;
        Ok(name)
    }

    /// Creates a repository and returns the reference that images are pushed to.
    pub(crate) fn target(&self, suffix: &str) -> Result<String> {
        Ok(format!("{}/{}", self.host(), self.repository(suffix)?))
    }

    /// Calls the ECR API through curl, which signs by itself, and returns the answer.
    pub(crate) fn api(&self, operation: &str, request: &Value) -> Result<Value> {
        let server = &self.world.server;
        self.curl(
            server.export("AWS_ACCESS_KEY_ID")?,
            server.export("AWS_SECRET_ACCESS_KEY")?,
        )?
        .args([
            "-sS",
            "--fail-with-body",
            "--aws-sigv4",
            "aws:amz:us-east-1:ecr",
        ])
        .args([
            "-H",
            &format!("{TARGET}.{operation}"),
            "-H",
            "Content-Type: application/x-amz-json-1.1",
        ])
        .args([
            "--data-binary",
            &request.to_string(),
            &format!("{}/", server.url),
        ])
        .json()
        .with_context(|| format!("{operation} failed"))
    }

    /// curl with credentials, which go by a file so that a failure never prints them.
    pub(crate) fn curl(&self, user: &str, password: &str) -> Result<Command> {
        let config = self.file("curlrc", format!("user = \"{user}:{password}\"\n"))?;
        Ok(self.command("curl").arg("--config").arg(config))
    }

    /// A client in this case's environment, with the credentials that the server printed.
    pub(crate) fn command(&self, program: &str) -> Command {
        let command = Command::new(program)
            .directory(self.home.path())
            .env("PATH", self.world.tools.path())
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("LANG", "C.UTF-8")
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("REGISTRY_AUTH_FILE", self.path("docker/config.json"))
            .env("AWS_PAGER", "");
        self.world
            .server
            .exports
            .iter()
            .fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Opens a repository to pulls by everybody.
    pub(crate) fn open_to_all(&self, repository: &str) -> Result<()> {
        let statement = json!({"Effect": "Allow", "Principal": "*",
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let set = json!({"repositoryName": repository, "policyText": policy.to_string()});
        self.api("SetRepositoryPolicy", &set).map(drop)
    }

    /// Logs every client of this case out.
    pub(crate) fn logged_out(&self) -> Result<&Self> {
        self.file("docker/config.json", "{}")?;
        Ok(self)
    }

    /// Lets every client of this case use a password at a host.
    pub(crate) fn with_password(&self, host: &str, password: &str) -> Result<&Self> {
        let token = STANDARD.encode(format!("AWS:{password}"));
        let config = json!({"auths": {host: {"auth": token}}});
        self.file("docker/config.json", config.to_string())?;
        Ok(self)
    }

    /// Logs every client of this case in, by the file that `docker login` would have written.
    pub(crate) fn logged_in(&self) -> Result<&Self> {
        let data = self.api("GetAuthorizationToken", &json!({}))?;
        let token = data["authorizationData"][0]["authorizationToken"].clone();
        let config = json!({"auths": {self.host(): {"auth": token}}});
        self.file("docker/config.json", config.to_string())?;
        Ok(self)
    }

    /// Runs a program that prints a line per case.
    pub(crate) fn program(&self, command: Command) -> Result<Vec<Outcome>> {
        let output = command.env("REPOSITORY_PREFIX", self.prefix()).whatever()?;
        let outcomes: Vec<_> = output.stdout.lines().filter_map(outcome).collect();
        anyhow::ensure!(
            !outcomes.is_empty(),
            "the program told of no case:\n{}{}",
            output.stdout,
            output.stderr
        );
        Ok(outcomes)
    }

    /// A directory of this repository that holds a client's program.
    pub(crate) fn programs(&self) -> PathBuf {
        self.world.tools.workspace.join("tests/clients")
    }

    /// The directory that `.ci/install-clients` fills.
    pub(crate) fn cache(&self) -> &Path {
        &self.world.tools.cache
    }
}

fn outcome(line: &str) -> Option<Outcome> {
    if let Some(name) = line.strip_prefix("ok ") {
        return Some(Outcome {
            name: name.to_owned(),
            failure: None,
        });
    }
    let (name, failure) = line.strip_prefix("not ok ")?.split_once(": ")?;
    Some(Outcome {
        name: name.to_owned(),
        failure: Some(failure.to_owned()),
    })
}
