//! The flags of `longshore report-in-use`.

use std::time::Duration;

/// The flags of `longshore report-in-use`.
#[derive(Debug, clap::Args)]
pub struct ReportInUseArgs {
    /// Where the container runtime answers the Docker Engine API
    #[arg(
        long,
        env = "DOCKER_HOST",
        value_name = "URL",
        default_value = "unix:///var/run/docker.sock"
    )]
    pub docker_host: String,
    /// A host and port by which images of the registry are named [default: that of `AWS_ENDPOINT_URL`]
    #[arg(long, value_name = "HOST[:PORT],…", value_delimiter = ',')]
    pub registry: Vec<String>,
    /// Report once and end
    #[arg(long, conflicts_with = "interval")]
    pub once: bool,
    /// How long to wait between two reports
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub interval: Duration,
    /// How long an image is kept after the last report of it
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub lease: Duration,
    /// Print each report as a line of JSON
    #[arg(long)]
    pub json: bool,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let seconds = crate::config::seconds(text).filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or("a duration is a number with `s`, `m` or `h` after it")?;
    Ok(Duration::from_secs(seconds))
}
