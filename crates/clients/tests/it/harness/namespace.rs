//! Namespaces of the suite's own: only its servers are reachable, port 443 and `/etc/hosts` are free
//! to use, and nothing that a case leaves running outlives it.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

const MARK: &str = "LONGSHORE_CLIENTS_INSIDE";

/// An address that is neither loopback nor routed, so that clients demand proper TLS there.
pub(crate) const TLS_ADDRESS: &str = "10.77.0.1";

/// The host name of the first account's registry, as Amazon's clients know it.
pub(crate) const ECR_HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// The host name of the ECR API that unconfigured SDKs call.
pub(crate) const ECR_API_HOST: &str = "api.ecr.us-east-1.amazonaws.com";

/// All host names of Amazon's that lead to the ECR-shaped server.
pub(crate) const AMAZONS_HOSTS: [&str; 4] = [
    ECR_HOST,
    ECR_API_HOST,
    "sts.us-east-1.amazonaws.com",
    "iam.amazonaws.com",
];

/// Where this process turned out to be.
pub(crate) enum Entered {
    /// Inside; the cases may run.
    Inside,
    /// Outside; a copy of this program ran inside and ended with this code.
    Ran(ExitCode),
}

/// Runs this program again inside new namespaces, unless it already is there.
pub(crate) fn enter() -> Result<Entered> {
    if env::var_os(MARK).is_some() {
        prepare()?;
        return Ok(Entered::Inside);
    }
    let status = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--ipc",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(MARK, "1")
        .status()
        .context("cannot run unshare")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(Entered::Ran(ExitCode::from(code)))
}

fn prepare() -> Result<()> {
    run("ip", &["link", "set", "lo", "up"])?;
    run(
        "ip",
        &["address", "add", &format!("{TLS_ADDRESS}/32"), "dev", "lo"],
    )?;
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    let hosts = env::temp_dir().join(format!("longshore-hosts-{}", std::process::id()));
    fs::write(
        &hosts,
        format!(
            "127.0.0.1 localhost\n{TLS_ADDRESS} {}\n",
            AMAZONS_HOSTS.join(" ")
        ),
    )?;
    let mounted = run("mount", &["--bind", &hosts.to_string_lossy(), "/etc/hosts"]);
    fs::remove_file(&hosts)?;
    mounted
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .process_group(0)
        .status();
    let status = status.with_context(|| format!("cannot run {program}"))?;
    ensure!(
        status.success(),
        "`{program} {}` failed: is this root?",
        arguments.join(" ")
    );
    Ok(())
}
