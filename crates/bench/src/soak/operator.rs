//! The operator's commands, run beside the servers: `gc`, and `scrub`, which has its own way to see loss.

use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::Soak;
use crate::payload::mix;

/// Runs one after the other until it is over; many are killed on their way.
pub(super) async fn operate(soak: Rc<Soak>) {
    let mut random = mix(soak.options.seed ^ 7);
    while !soak.over.get() {
        random = mix(random.wrapping_add(1));
        tokio::time::sleep(Duration::from_millis(500 + random % 3_000)).await;
        let command = if random & 8 == 0 { "gc" } else { "scrub" };
        let life = (random & 16 == 0).then(|| Duration::from_millis((random >> 8) % 1_000));
        let process = soak.fleet.borrow().operator(command);
        match run(process, life).await {
            Ok(Some(told)) => {
                soak.ledger.count(command);
                if told["damaged"].as_u64().is_some_and(|damaged| damaged > 0) {
                    let what = format!("scrub found damage: {}", told["findings"]);
                    soak.ledger.lose(what);
                }
            }
            // Killed, or it met a database that was down.
            Ok(None) => {}
            Err(error) => soak
                .ledger
                .lose(format!("`longshore {command}`: {error:#}")),
        }
    }
}

/// Runs a command; what it tells as JSON, if it lived to tell.
async fn run(mut command: Command, life: Option<Duration>) -> Result<Option<Value>> {
    let command = command
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().context("it does not run")?;
    if let Some(life) = life {
        tokio::time::sleep(life).await;
        child.kill()?;
    }
    let output = spawn_blocking(move || child.wait_with_output()).await??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Of one that was killed it may be a part.
    let told = text.lines().last();
    Ok(told.and_then(|told| serde_json::from_str(told).ok()))
}
