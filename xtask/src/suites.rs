//! The suites: test programs, each on one pair of engines. Most wait for disks, databases and clocks much of their time,
//! so that as many run at a time as there are processors, the long ones first.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Variables that a suite is given.
type Environment = &'static [(&'static str, &'static str)];

const POSTGRES: (&str, &str) = ("LONGSHORE_TEST_ENGINE", "postgres");
const S3: (&str, &str) = ("LONGSHORE_TEST_BLOBS", "s3");
/// The product once more: the crate's directory, its test, the engines, and which of its tests.
#[rustfmt::skip]
const ENGINES: &[(&str, &str, Environment, &[&str])] = &[
    ("server", "it", &[POSTGRES, S3], &[]),
    ("registry", "it", &[POSTGRES], &[]),
    ("registry", "it", &[S3], &[]),
    ("registry", "interleavings", &[POSTGRES], &[]),
    // The others are on both by themselves.
    ("server", "crash", &[POSTGRES, S3], &["whatever_was_acknowledged_survives_kill_9"]),
    ("registry", "faults", &[S3], &["a_segment_store", "a_full_bucket"]),
];
/// The suites that take longest on SQLite and files, which begin first.
const LONG: &[(&str, &str)] = &[
    ("registry", "faults"),
    ("server", "it"),
    ("registry", "interleavings"),
    ("registry", "it"),
];

/// Which suites to run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Which {
    /// The product's own, on each pair of engines.
    Product,
    /// The real clients.
    Clients,
}

/// A test program.
#[derive(Clone)]
struct Program {
    executable: PathBuf,
    directory: PathBuf,
}

struct Suite {
    name: String,
    program: Program,
    environment: Environment,
    arguments: &'static [&'static str],
}

/// Builds and runs suites. Tells each when it is over, what it printed if it failed, and fails when any did.
pub(crate) fn run(root: &PathBuf, which: Which) -> Result<()> {
    if which != Which::Clients {
        crate::cargo(root, &["test", "--workspace", "--doc", "--quiet"])?;
    }
    let programs = build(root)?;
    let logs = root.join("target/suites");
    fs::create_dir_all(&logs)?;
    let waiting = Mutex::new(VecDeque::from(suites(&programs, which)?));
    let failed = Mutex::new(Vec::new());
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some(suite) = locked(&waiting, VecDeque::pop_front) {
                    if let Err(error) = suite.run(&logs) {
                        eprintln!("{}: {error:#}", suite.name);
                        locked(&failed, |failed| failed.push(suite.name));
                    }
                }
            });
        }
    });
    let failed = locked(&failed, std::mem::take);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn locked<T, R>(shared: &Mutex<T>, change: impl FnOnce(&mut T) -> R) -> R {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The suites in the order in which they begin.
fn suites(programs: &BTreeMap<(String, String), Program>, which: Which) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    if which != Which::Clients {
        for &(crate_name, test, environment, arguments) in ENGINES {
            let program = programs.get(&(crate_name.to_owned(), test.to_owned()));
            let values: Vec<_> = environment.iter().map(|(_, value)| *value).collect();
            suites.push(Suite {
                name: format!("{crate_name} {test} on {}", values.join(" and ")),
                program: program
                    .with_context(|| format!("no test `{test}` in crates/{crate_name}"))?
                    .clone(),
                environment,
                arguments,
            });
        }
    }
    let mut plain: Vec<_> = programs
        .iter()
        .filter(|((crate_name, _), _)| match which {
            Which::Product => crate_name != "clients",
            Which::Clients => crate_name == "clients",
        })
        .collect();
    plain.sort_by_key(|((crate_name, test), _)| {
        let long = |(of, name): &(&str, &str)| of == crate_name && name == test;
        LONG.iter().position(long).unwrap_or(LONG.len())
    });
    suites.extend(
        plain
            .into_iter()
            .map(|((crate_name, test), program)| Suite {
                name: format!("{crate_name} {test}"),
                program: program.clone(),
                environment: &[],
                arguments: &[],
            }),
    );
    Ok(suites)
}

impl Suite {
    fn run(&self, logs: &Path) -> Result<()> {
        let began = Instant::now();
        let path = logs.join(format!("{}.log", self.name.replace(' ', "-")));
        let log = fs::File::create(&path)?;
        let status = Command::new(&self.program.executable)
            .args(self.arguments)
            .envs(self.environment.iter().copied())
            .env("CARGO_MANIFEST_DIR", &self.program.directory)
            .current_dir(&self.program.directory)
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .status()?;
        let printed = fs::read(&path)?;
        let printed = String::from_utf8_lossy(&printed);
        if !status.success() {
            println!("{printed}");
            bail!("{status}");
        }
        let result = printed.lines().rfind(|line| !line.trim().is_empty());
        let ran_none = result.is_some_and(|line| line.contains(" 0 passed"));
        ensure!(!ran_none || self.arguments.is_empty(), "ran no test");
        let seconds = began.elapsed().as_secs();
        println!(
            "{} ({seconds} s)\n{}",
            self.name,
            result.unwrap_or_default()
        );
        Ok(())
    }
}

/// Builds all test programs in one go, so that each crate is built once, and returns them by the directory of their crate and
/// their name. The server that they run is built after them, with the features that it is shipped with.
fn build(root: &PathBuf) -> Result<BTreeMap<(String, String), Program>> {
    let arguments = [
        "test",
        "--workspace",
        "--no-run",
        "--quiet",
        "--message-format=json-render-diagnostics",
    ];
    println!("+ cargo {}", arguments.join(" "));
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(arguments)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the tests do not build: {}", output.status);
    }
    let mut programs = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        // Other lines are not cargo's.
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let is_test = message["profile"]["test"] == true;
        let executable = message["executable"].as_str().filter(|_| is_test);
        let manifest = message["manifest_path"].as_str().map(Path::new);
        let (Some(executable), Some(directory)) = (executable, manifest.and_then(Path::parent))
        else {
            continue;
        };
        let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
        let test = match kind {
            "test" => message["target"]["name"].as_str().unwrap_or_default(),
            kind => kind,
        };
        let crate_name = directory.file_name().unwrap_or_default();
        let key = (crate_name.to_string_lossy().into_owned(), test.to_owned());
        let program = Program {
            executable: executable.into(),
            directory: directory.to_owned(),
        };
        if programs.insert(key, program).is_some() {
            bail!("two test programs of one name: {executable}");
        }
    }
    crate::cargo(root, &["build", "--bin", "longshore", "--quiet"])?;
    ensure!(!programs.is_empty(), "cargo told of no test program");
    Ok(programs)
}
