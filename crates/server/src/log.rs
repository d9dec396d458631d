//! Logs: where they go, and how a failure of ours is written once, with its chain.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::config::LogFormat;

/// Sends logs to standard error.
pub fn start(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    let filter: EnvFilter = EnvFilter::builder().parse(filter)?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let as_text = match format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if as_text {
        logs.with_ansi(io::stderr().is_terminal()).init();
    } else {
        logs.json().flatten_event(true).init();
    }
    Ok(())
}

/// Writes a failure that no client can do anything about, with all its causes.
pub(crate) fn failure(place: &str, error: &dyn std::error::Error) {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        cause = error.source();
    }
    tracing::error!(place, error = chain, "a request failed");
}
