//! The `longshore` program.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use longshore::{
    account, alias,
    config::{Args, Command, Config},
    log, operator, recover, rekey, report_in_use, repository,
    serve::{self, RunningServer},
    transfer,
};
use tokio::signal::unix::{SignalKind, signal};

/// The system's allocator keeps what a burst took; this one gives it back (settings: `.cargo/config.toml`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads for file I/O; each call is one short read or write.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    let command = Args::parse().command;
    // Metadata names repositories and images: nobody else on the machine reads what is written here.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let done = match command {
        Command::Serve(args) => Config::from_args(*args)
            .map_err(anyhow::Error::from)
            .and_then(run),
        Command::Account(command) => account::run(command),
        Command::Repository(command) => repository::run(command),
        Command::Scrub(args) => operator::run_scrub(&args),
        Command::Gc(args) => operator::run_gc(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Rekey(args) => rekey::run(&args),
        Command::Export(args) => transfer::export(&args),
        Command::Import(args) => transfer::import(&args),
        Command::Migrate(args) => transfer::migrate(&args),
        Command::Alias(args) => alias::run(args),
        Command::ReportInUse(args) => match report_in_use::run(&args) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(report_in_use::INCOMPLETE),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it reads this, whatever logs are set to.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    log::start(config.log_format, &config.log_filter).context("the log filter is not valid")?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    let ended = runtime.block_on(serve(config))?;
    if !ended {
        tracing::warn!("requests were still in flight when the time to finish them was over");
    }
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = serve::start(config).await?;
    announce(&server)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    Ok(server.stop().await)
}

/// The lines that people and scripts wait for.
fn announce(server: &RunningServer) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(credentials) = &server.first_start {
        out.write_all(credentials.to_lines().as_bytes())?;
    }
    writeln!(out, "Longshore is ready at {}", server.url)?;
    out.flush()
}

/// As many files as the system lets this process have: each connection is one.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}
