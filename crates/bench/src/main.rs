//! The command line of the load tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use longshore_bench::config::Config;
use longshore_bench::engines::{Blobs, Metadata};
use longshore_bench::report::{self, Report};
use longshore_bench::run::Plan;
use longshore_bench::target::Options;
use longshore_bench::workload::{self, Case, Load};
use longshore_bench::{engines, scale, soak};

/// Drives registries with the same work and compares them.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the targets of a file, interleaved.
    Run(Box<RunArgs>),
    /// List the cases that can be chosen.
    List(LoadArgs),
    /// Write the table of a JSON report again.
    Table {
        /// The JSON report.
        report: PathBuf,
    },
    /// Put collection under fire, and say what was lost.
    Soak(SoakArgs),
    /// Run a command beside a database and an object store that are started for it.
    With(WithArgs),
    /// Simulate the fleets of a file: what they serve, and what binds.
    Scale {
        /// Tables `[[fleet]]`, as `crates/bench/fleets.toml` has them.
        fleets: PathBuf,
        /// The seed of all choices.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure hashing and sealing alone, in processor seconds per GiB.
    Reference,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The file that names the targets.
    #[arg(long)]
    targets: PathBuf,
    /// The target that is compared with the others.
    #[arg(long)]
    subject: String,
    /// Leave out all targets but these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The cases to run, as `name` or `name@concurrency`; all if absent.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Rounds per case and target.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds to wait after a case before idle memory is read.
    #[arg(long, default_value_t = 0)]
    settle: u64,
    /// Let one process per target serve all cases, and settle once at the end.
    #[arg(long)]
    keep_servers: bool,
    /// Copy pulled bodies to user space, as a real puller does, instead of dropping them in the kernel.
    #[arg(long)]
    copy_bodies: bool,
    /// The most descriptors that each started server may have; those of the tool if absent.
    #[arg(long)]
    descriptors: Option<u64>,
    /// Where started servers keep their data; removed afterwards.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    work: PathBuf,
    /// Where to write everything that was measured.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to write the table; standard output if absent.
    #[arg(long)]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// The longest time of a round, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The largest number of operations of a round.
    #[arg(long)]
    count: Option<u64>,
    /// The tag counts of `tags-list`.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    tags: Vec<u64>,
    /// The connections of `idle-connections`.
    #[arg(long, default_value_t = 2_000)]
    connections: u64,
    /// How many pull one layer at once in `crowd-pull`.
    #[arg(long, default_value_t = 1_000)]
    crowd: usize,
    /// The size of the layer of `huge-layer`, in GiB.
    #[arg(long, default_value_t = 10)]
    gib: usize,
    /// How many connections besiege the server in `siege`.
    #[arg(long, default_value_t = 5_000)]
    besiegers: u64,
    /// At most so many lanes at once in `images-…`: a server may need a great deal of memory for each.
    #[arg(long)]
    lanes: Option<usize>,
    /// The image counts of `images-…`.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000])]
    images: Vec<u64>,
    /// The repository counts of `repositories-…`.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000])]
    repositories: Vec<u64>,
    /// The seed of all bodies and names; change it to repeat a run at a server that keeps its data.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct WithArgs {
    /// What keeps the metadata.
    #[arg(long, value_enum, default_value = "postgres")]
    metadata: Metadata,
    /// What keeps the blobs.
    #[arg(long, value_enum, default_value = "versitygw")]
    blobs: Blobs,
    /// Where files lie, if blobs are files.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    work: PathBuf,
    /// The command, which is told of them by the variables of `longshore serve`.
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

fn with(args: &WithArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = engines::with(args.metadata, args.blobs, &args.work, &args.command);
    let status = runtime.block_on(run)?;
    if !status.success() {
        bail!("the command ended with {status}");
    }
    Ok(())
}

#[derive(Debug, Args)]
struct SoakArgs {
    /// The program of the servers, built with the feature `soak`.
    #[arg(long)]
    server: PathBuf,
    /// What keeps the metadata.
    #[arg(long, value_enum, default_value = "sqlite")]
    metadata: Metadata,
    /// What keeps the blobs.
    #[arg(long, value_enum, default_value = "files")]
    blobs: Blobs,
    /// How many servers share the stores; they are killed in turn.
    #[arg(long, default_value_t = 1)]
    servers: usize,
    /// Kills at least.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Kill the database, too, now and then.
    #[arg(long)]
    kill_database: bool,
    /// Put servers to sleep (SIGSTOP) in turn, each for so many seconds, while the others go on.
    #[arg(long)]
    sleep_seconds: Option<u64>,
    /// Acknowledged operations at least.
    #[arg(long, default_value_t = 10_000)]
    operations: u64,
    /// Clients at a time.
    #[arg(long, default_value_t = 8)]
    workers: u64,
    /// Hours that pass for the servers in a second.
    #[arg(long, default_value_t = 6)]
    hours_a_second: u32,
    /// The guard to switch off: promise, grace or foreign-keys; then something must be lost.
    #[arg(long, value_parser = ["promise", "grace", "foreign-keys"])]
    without: Option<String>,
    /// Where the servers keep their data.
    #[arg(long)]
    work: Option<PathBuf>,
    /// The seed of all choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Minutes after which to stop, whatever was done.
    #[arg(long, default_value_t = 20)]
    minutes: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn soak(args: SoakArgs) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let must_lose = args.without.is_some();
    let options = soak::Options {
        server: args.server,
        metadata: args.metadata,
        blobs: args.blobs,
        servers: args.servers,
        kills: args.kills,
        kills_database: args.kill_database,
        sleep: args.sleep_seconds.map(Duration::from_secs),
        operations: args.operations,
        workers: args.workers,
        hours_a_second: args.hours_a_second,
        without: args.without,
        work: args.work.unwrap_or_else(|| scratch.path().to_owned()),
        seed: args.seed,
        limit: Duration::from_mins(args.minutes),
    };
    let (kills, operations) = (options.kills as u64, options.operations);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(soak::run(options))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        println!("{}", outcome.report()?);
    }
    match (must_lose, outcome.is_sound()) {
        (true, true) => bail!("nothing was lost without the guard: the soak does not see loss"),
        (false, false) => bail!("{} lost", outcome.lost.len()),
        (false, true) if outcome.crashes < kills || outcome.operations < operations => {
            bail!("too little was done in the time")
        }
        _ => Ok(()),
    }
}

fn scale(path: &Path, seed: u64) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    println!("{}", scale::table(&text, seed)?);
    Ok(())
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(args) => run(*args),
        Command::Soak(args) => soak(args),
        Command::With(args) => with(&args),
        Command::List(args) => {
            for case in workload::all(&args.into()) {
                println!("{}", case.label());
            }
            Ok(())
        }
        Command::Table { report } => {
            let text =
                fs::read(&report).with_context(|| format!("cannot read {}", report.display()))?;
            print!("{}", report::markdown(&serde_json::from_slice(&text)?));
            Ok(())
        }
        Command::Scale { fleets, seed } => scale(&fleets, seed),
        Command::Reference => {
            println!("{:.3}", workload::cpu_seconds_per_gib(1)?);
            Ok(())
        }
    }
}

fn run(args: RunArgs) -> Result<()> {
    raise_file_limit();
    let json = args.json.clone();
    let markdown = args.markdown.clone();
    let plan = plan(args)?;
    // One thread: the tool must leave the other processors to the servers, and lanes wait far more than they work.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        // Dropping the run stops the servers it started.
        tokio::select! {
            report = plan.run(|report| save(report, json.as_deref())) => report,
            () = interrupted() => bail!("interrupted; the cases that were finished are in the JSON report"),
        }
    })?;
    let table = report::markdown(&report);
    if let Some(path) = markdown {
        return fs::write(&path, table).with_context(|| format!("cannot write {}", path.display()));
    }
    print!("{table}");
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn plan(args: RunArgs) -> Result<Plan> {
    let mut config = Config::read(&args.targets)?;
    config
        .targets
        .retain(|target| args.only.is_empty() || args.only.contains(&target.name));
    let seed = args.load.seed;
    let cases = choose(workload::all(&args.load.into()), &args.workloads)?;
    Ok(Plan {
        config,
        cases,
        rounds: args.rounds,
        settle: Duration::from_secs(args.settle),
        keeps_servers: args.keep_servers,
        options: Options {
            copies: args.copy_bodies,
            descriptors: args.descriptors,
        },
        work: args.work,
        subject: args.subject,
        seed,
    })
}

fn choose(cases: Vec<Case>, wanted: &[String]) -> Result<Vec<Case>> {
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !cases.iter().any(|case| is_named(case, name)))
    {
        bail!("there is no workload `{unknown}`; see `longshore-bench list`");
    }
    let chosen = |case: &Case| wanted.is_empty() || wanted.iter().any(|name| is_named(case, name));
    Ok(cases.into_iter().filter(chosen).collect())
}

fn is_named(case: &Case, name: &str) -> bool {
    case.name == name || case.label() == name
}

fn save(report: &Report, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_vec_pretty(report)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Lets the tool and the servers it starts open as many connections as the system allows.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

impl From<LoadArgs> for Load {
    fn from(args: LoadArgs) -> Self {
        Self {
            seconds: args.seconds,
            count: args.count,
            tags: args.tags,
            connections: args.connections,
            crowd: args.crowd,
            gib: args.gib,
            besiegers: args.besiegers,
            lanes: args.lanes,
            images: args.images,
            repositories: args.repositories,
            seed: args.seed,
        }
    }
}
