//! What servers keep things in: real databases and object stores, started for a soak or another command.

use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use longshore_testbed::postgres;
use longshore_testbed::s3::{self, S3Server};
use tokio::task::spawn_blocking;

/// Survives the death of its processes, not of its machine; its tables are cleaned, or a long soak would drown.
const POSTGRES: &str = "fsync=off\nautovacuum=on\nautovacuum_naptime=10s\n";
const DATABASE: &str = "postgres";

/// What keeps the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metadata {
    /// A file of the one server.
    Sqlite,
    /// A PostgreSQL server of its own, as Debian packages it.
    Postgres,
}

/// What keeps the blobs, those of archived images apart from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Blobs {
    /// Directories.
    Files,
    /// A bucket of versitygw.
    Versitygw,
    /// A bucket of s3s-fs.
    S3sFs,
}

/// The servers behind the servers; they go when this is dropped.
#[derive(Debug)]
pub(crate) struct Engines {
    postgres: Option<postgres::Server>,
    _s3: Option<S3Server>,
    /// What every process of the registry is told.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Engines {
    /// Starts what is needed; files lie under `work`.
    pub(crate) async fn start(metadata: Metadata, blobs: Blobs, work: &Path) -> Result<Self> {
        let work = std::path::absolute(work)?.display().to_string();
        Ok(spawn_blocking(move || {
            let postgres = match metadata {
                Metadata::Sqlite => None,
                Metadata::Postgres => Some(postgres::Server::with(POSTGRES)),
            };
            let s3 = match blobs {
                Blobs::Files => None,
                Blobs::Versitygw => Some(S3Server::start(s3::Kind::VersityGw)),
                Blobs::S3sFs => Some(S3Server::start(s3::Kind::S3sFs)),
            };
            let mut environment = match &s3 {
                Some(s3) => s3.environment("blobs").to_vec(),
                None => vec![("LONGSHORE_BLOBS", format!("file://{work}/blobs"))],
            };
            let archive = match &s3 {
                Some(_) => format!("s3://{}/archive", s3::BUCKET),
                None => format!("file://{work}/archive"),
            };
            environment.push(("LONGSHORE_ARCHIVE_BLOBS", archive));
            if let Some(postgres) = &postgres {
                environment.push(("LONGSHORE_METADATA", postgres.url(DATABASE)));
            }
            if s3.is_none() {
                environment.push(("LONGSHORE_MASTER_KEY", s3::MASTER_KEY.to_owned()));
            }
            Self {
                postgres,
                _s3: s3,
                environment,
            }
        })
        .await?)
    }

    /// Takes the database away, to be given to [`crash`].
    pub(crate) fn take_database(&mut self) -> Option<postgres::Server> {
        self.postgres.take()
    }

    pub(crate) fn put_database(&mut self, database: postgres::Server) {
        self.postgres = Some(database);
    }
}

/// Starts the engines, runs a command that finds them in its environment as the server wants to be told, and stops them.
/// Fails when the command cannot be run.
pub async fn with(
    metadata: Metadata,
    blobs: Blobs,
    work: &Path,
    command: &[String],
) -> Result<ExitStatus> {
    let engines = Engines::start(metadata, blobs, work).await?;
    let [program, arguments @ ..] = command else {
        anyhow::bail!("there is no command");
    };
    let mut process = Command::new(program);
    process.args(arguments).envs(engines.environment.clone());
    spawn_blocking(move || process.status())
        .await?
        .with_context(|| format!("cannot run {program}"))
}

/// Kills a database with SIGKILL, and starts it again.
pub(crate) async fn crash(mut database: postgres::Server) -> Result<postgres::Server> {
    Ok(spawn_blocking(move || {
        database.kill();
        database.start();
        database
    })
    .await?)
}

/// Whether so many servers can share these.
pub(crate) fn check(metadata: Metadata, servers: usize) -> Result<()> {
    ensure!(servers > 0, "a soak needs a server");
    ensure!(
        metadata == Metadata::Postgres || servers == 1,
        "only one server runs on SQLite"
    );
    Ok(())
}
