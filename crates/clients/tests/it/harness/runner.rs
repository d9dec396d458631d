//! Runs the chosen cases, tells how each went, and ends with a table and the line that `cargo test` ends with.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::Result;

use super::case::{Cases, Client, Outcome};
use super::scene::Scene;
use super::world::World;

/// Clients that are driven at the same time; most of them wait for each other's processes.
const LANES: usize = 3;

/// The filters of the command line.
pub(crate) struct Selection {
    filters: Vec<String>,
}

impl Selection {
    /// Keeps plain words as filters and ignores the flags of the usual test harness.
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Self {
        Self {
            filters: arguments
                .filter(|argument| !argument.starts_with('-'))
                .collect(),
        }
    }

    fn takes(&self, client: &str, case: &str) -> bool {
        let name = format!("{client}::{case}");
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }

    /// Whether a program, whose cases are known only once it ran, may have a case that is wanted.
    fn may_take(&self, client: &str) -> bool {
        let prefix = format!("{client}::");
        self.filters.is_empty()
            || self
                .filters
                .iter()
                .any(|f| prefix.contains(f) || f.starts_with(&prefix))
    }
}

/// What is told of one client in the table.
struct Row {
    client: &'static str,
    version: String,
    outcomes: Vec<Outcome>,
    seconds: f64,
}

/// Runs the chosen cases of the clients and returns the code to exit with.
pub(crate) fn run(clients: &[Client], selection: &Selection) -> Result<ExitCode> {
    let began = Instant::now();
    let mut world = World::start()?;
    let queue: Mutex<VecDeque<&Client>> =
        Mutex::new(clients.iter().filter(|c| wanted(c, selection)).collect());
    let rows = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(client) = next(&queue) {
                    let row = drive(&world, client, selection);
                    lock(&rows).push(row);
                }
            });
        }
    });
    let mut rows = rows
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.sort_by_key(|row| clients.iter().position(|client| client.name == row.client));
    let stopped = world.server.stop();
    let failed = report(&rows, &stopped, began);
    if failed > 0 {
        show_log(&world);
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn wanted(client: &Client, selection: &Selection) -> bool {
    match &client.cases {
        Cases::Functions(cases) => cases
            .iter()
            .any(|case| selection.takes(client.name, case.name)),
        Cases::Program(_) => selection.may_take(client.name),
    }
}

fn next<'a>(queue: &Mutex<VecDeque<&'a Client>>) -> Option<&'a Client> {
    lock(queue).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn drive(world: &World, client: &Client, selection: &Selection) -> Row {
    let began = Instant::now();
    let mut outcomes = Vec::new();
    let version = Scene::new(world, client.name).and_then(|scene| (client.version)(&scene));
    let version = version.unwrap_or_else(|error| {
        outcomes.push(told(
            client,
            Outcome {
                name: "starts".to_owned(),
                failure: Some(format!("{error:#}")),
            },
        ));
        "missing".to_owned()
    });
    match &client.cases {
        Cases::Functions(cases) => {
            for case in cases
                .iter()
                .filter(|case| selection.takes(client.name, case.name))
            {
                let scene = Scene::new(world, &format!("{}/{}", client.name, case.name));
                let failure = scene
                    .and_then(|scene| (case.run)(&scene))
                    .err()
                    .map(|error| format!("{error:#}"));
                outcomes.push(told(
                    client,
                    Outcome {
                        name: case.name.to_owned(),
                        failure,
                    },
                ));
            }
        }
        Cases::Program(program) => {
            let ran = Scene::new(world, client.name).and_then(|scene| program(&scene));
            let ran = ran.unwrap_or_else(|error| {
                vec![Outcome {
                    name: "runs".to_owned(),
                    failure: Some(format!("{error:#}")),
                }]
            });
            let ran = ran
                .into_iter()
                .filter(|o| o.failure.is_some() || selection.takes(client.name, &o.name));
            outcomes.extend(ran.map(|outcome| told(client, outcome)));
        }
    }
    Row {
        client: client.name,
        version,
        outcomes,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn told(client: &Client, outcome: Outcome) -> Outcome {
    let verdict = if outcome.failure.is_none() {
        "ok"
    } else {
        "FAILED"
    };
    println!("test {}::{} ... {verdict}", client.name, outcome.name);
    outcome
}

/// Prints the failures, the table and the last line, and returns the number of failures.
fn report(rows: &[Row], stopped: &Result<()>, began: Instant) -> usize {
    let mut failed = 0;
    for row in rows {
        for outcome in &row.outcomes {
            if let Some(failure) = &outcome.failure {
                failed += 1;
                println!("\n---- {}::{} ----\n{failure}", row.client, outcome.name);
            }
        }
    }
    if let Err(error) = stopped {
        failed += 1;
        println!("\n---- server ----\n{error:#}");
    }
    println!(
        "\n{:<22} {:<28} {:>5} {:>8}",
        "client", "version", "cases", "seconds"
    );
    for row in rows {
        println!(
            "{:<22} {:<28} {:>5} {:>8.1}",
            row.client,
            row.version,
            row.outcomes.len(),
            row.seconds
        );
    }
    let total: usize = rows.iter().map(|row| row.outcomes.len()).sum();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let passed = rows
        .iter()
        .flat_map(|row| &row.outcomes)
        .filter(|outcome| outcome.failure.is_none())
        .count();
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; \
         finished in {:.2}s ({total} cases of {} clients)",
        began.elapsed().as_secs_f64(),
        rows.len()
    );
    failed
}

/// Prints the end of the server's log, which tells what the failed cases ran into.
fn show_log(world: &World) {
    let log = world.server.log();
    let lines: Vec<_> = log.lines().rev().take(20).collect();
    eprintln!("\nend of the server's log:");
    for line in lines.iter().rev() {
        eprintln!("{}", line.chars().take(400).collect::<String>());
    }
}
