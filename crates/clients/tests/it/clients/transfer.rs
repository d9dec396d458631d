//! `longshore export`, `import` and `migrate`, with the tools that read and write layouts, and the registries that images come from.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::docker::docker;
use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene, tar};

pub(crate) fn client() -> Client {
    Client {
        name: "transfer",
        version: |scene| longshore(scene).arg("--version").text(),
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "skopeo_reads_what_is_exported",
        skopeo_reads_what_is_exported,
    ),
    Case::new(
        "crane_and_regctl_read_what_is_exported",
        crane_and_regctl_read_what_is_exported,
    ),
    Case::new(
        "takes_layouts_of_skopeo_and_crane",
        takes_layouts_of_skopeo_and_crane,
    ),
    Case::new("takes_what_docker_saves", takes_what_docker_saves),
    Case::new(
        "carries_signatures_over_a_gap",
        carries_signatures_over_a_gap,
    ),
    Case::new("migrates_from_distribution", migrates_from_distribution),
];

fn longshore(scene: &Scene<'_>) -> Command {
    scene.command(&scene.world.tools.server.to_string_lossy())
}

/// A command through the running server; a test's own standard output is not a terminal.
fn run(scene: &Scene<'_>, verb: &str) -> Command {
    longshore(scene).arg(verb)
}

fn crane(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("crane").arg(verb)
}

fn skopeo_copy(scene: &Scene<'_>, from: &str, to: &str) -> Command {
    let flags = [
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        "--all",
        "--preserve-digests",
    ];
    scene
        .command("skopeo")
        .arg("copy")
        .args(flags)
        .args([from, to])
}

/// Pushes an index of two images under the tag `v1` of a new repository; returns its name and the digest.
fn pushed(scene: &Scene<'_>, suffix: &str) -> Result<(String, String)> {
    let name = scene.logged_in()?.repository(suffix)?;
    let contents = noise(8, 60_000);
    let (layout, digest) = image::multi(scene.path(&format!("made-{suffix}")), &contents)?;
    let target = format!("{}/{name}:v1", scene.host());
    crane(scene, "push").arg(&layout.path).arg(target).run()?;
    Ok((name, digest))
}

fn skopeo_reads_what_is_exported(scene: &Scene<'_>) -> Result<()> {
    let (name, digest) = pushed(scene, "app")?;
    let (other, _) = pushed(scene, "other")?;
    run(scene, "export").args([&name, "--to", "one"]).run()?;
    run(scene, "export")
        .args([&name, "--to", "one.tar"])
        .run()?;
    run(scene, "export")
        .args([&name, &other, "--to", "two"])
        .run()?;
    for (at, source) in [
        "oci:one:v1",
        "oci-archive:one.tar:v1",
        &format!("oci:two:{name}:v1"),
    ]
    .iter()
    .enumerate()
    {
        let to = scene.path(&format!("read-{at}"));
        skopeo_copy(scene, source, &format!("dir:{}", to.display())).run()?;
        let manifest = fs::read(to.join("manifest.json"))?;
        ensure!(
            image::digest(&manifest) == digest,
            "{source} holds another image"
        );
    }
    Ok(())
}

fn crane_and_regctl_read_what_is_exported(scene: &Scene<'_>) -> Result<()> {
    let (name, digest) = pushed(scene, "app")?;
    run(scene, "export")
        .args([&format!("{name}:v1"), "--to", "one"])
        .run()?;
    let back = scene.target("back")?;
    // crane pushes the only image of a layout.
    crane(scene, "push")
        .args(["one", &format!("{back}:crane")])
        .run()?;
    let regctl = |args: &[&str]| scene.command("regctl").args(args);
    regctl(&["registry", "set", "--tls", "disabled", scene.host()]).run()?;
    regctl(&[
        "image",
        "copy",
        "ocidir://one:v1",
        &format!("{back}:regctl"),
    ])
    .run()?;
    for tag in ["crane", "regctl"] {
        let found = crane(scene, "digest").arg(format!("{back}:{tag}")).text()?;
        ensure!(found == digest, "{tag} pushed {found}");
    }
    Ok(())
}

fn takes_layouts_of_skopeo_and_crane(scene: &Scene<'_>) -> Result<()> {
    let (name, digest) = pushed(scene, "app")?;
    let source = format!("{}/{name}:v1", scene.host());
    let docker_source = format!("docker://{source}");
    skopeo_copy(scene, &docker_source, "oci:skopeo:v2").run()?;
    skopeo_copy(
        scene,
        &docker_source,
        "oci-archive:skopeo.tar:registry.example/skopeo/archive:v3",
    )
    .run()?;
    crane(scene, "pull")
        .args(["--format", "oci", &source, "crane"])
        .run()?;
    let to = scene.repository("to")?;
    run(scene, "import")
        .args(["skopeo", "--repository", &to])
        .run()?;
    let prefix = format!("{}/", scene.prefix());
    run(scene, "import")
        .args(["skopeo.tar", "--prefix", &prefix])
        .run()?;
    // crane names nothing, and so does what comes of it: an image without a tag.
    let untagged = scene.repository("untagged")?;
    run(scene, "import")
        .args(["crane", "--repository", &untagged])
        .run()?;
    for reference in [
        format!("{to}:v2"),
        format!("{prefix}skopeo/archive:v3"),
        format!("{untagged}@{digest}"),
    ] {
        let found = crane(scene, "digest")
            .arg(format!("{}/{reference}", scene.host()))
            .text()?;
        ensure!(found == digest, "{reference} is {found}");
        crane(scene, "validate")
            .args(["--remote", &format!("{}/{reference}", scene.host())])
            .run()?;
    }
    run(scene, "import")
        .arg("crane")
        .refused(&["--repository NAME"])
}

fn takes_what_docker_saves(scene: &Scene<'_>) -> Result<()> {
    scene.logged_in()?;
    let name = scene.repository("app")?;
    let tag = format!("{}/{name}:saved", scene.host());
    let archive = scene.file("root.tar", tar::pack(&[("file", &noise(9, 70_000))]))?;
    docker(scene)?.arg("import").arg(&archive).arg(&tag).run()?;
    let saved = scene.path("saved.tar");
    docker(scene)?
        .arg("save")
        .arg("-o")
        .arg(&saved)
        .arg(&tag)
        .run()?;
    docker(scene)?.args(["rmi", "-f", &tag]).run()?;
    let is_layout = scene
        .command("tar")
        .arg("tf")
        .arg(&saved)
        .text()?
        .contains("oci-layout");
    if !is_layout {
        // Docker before 25.
        return run(scene, "import")
            .arg(&saved)
            .refused(&["skopeo copy docker-archive:"]);
    }
    run(scene, "import").arg(&saved).run()?;
    docker(scene)?.args(["pull", "-q", &tag]).run()?;
    docker(scene)?.args(["rmi", "-f", &tag]).run().map(drop)
}

/// Signs an image in both of cosign's ways.
fn sign(scene: &Scene<'_>, image: &str) -> Result<()> {
    for mode in ["legacy", "oci-1-1"] {
        cosign(scene)
            .args(["sign", "-y", "--key", "signer.key", "--tlog-upload=false"])
            .args([
                "--allow-insecure-registry",
                "--registry-referrers-mode",
                mode,
                image,
            ])
            .run()?;
    }
    Ok(())
}

fn verify(scene: &Scene<'_>, image: &str) -> Result<()> {
    cosign(scene)
        .args([
            "verify",
            "--key",
            "signer.pub",
            "--insecure-ignore-tlog",
            "--allow-insecure-registry",
            image,
        ])
        .run()
        .map(drop)
}

fn cosign(scene: &Scene<'_>) -> Command {
    let command = scene.command("cosign").env("COSIGN_PASSWORD", "");
    command
        .env("COSIGN_EXPERIMENTAL", "1")
        .env("SIGSTORE_NO_CACHE", "true")
}

fn key_pair(scene: &Scene<'_>) -> Result<()> {
    let made = cosign(scene).args(["generate-key-pair", "--output-key-prefix", "signer"]);
    made.run().map(drop)
}

fn carries_signatures_over_a_gap(scene: &Scene<'_>) -> Result<()> {
    let (name, digest) = pushed(scene, "app")?;
    key_pair(scene)?;
    sign(scene, &format!("{}/{name}@{digest}", scene.host()))?;
    run(scene, "export")
        .args([&format!("{name}:v1"), "--to", "gap.tar"])
        .run()?;
    run(scene, "import")
        .args(["gap.tar", "--prefix", "far/"])
        .run()?;
    verify(scene, &format!("{}/far/{name}@{digest}", scene.host()))
}

/// CNCF Distribution, as Debian packages it, with a directory of its own.
struct Distribution {
    child: Child,
    host: String,
}

impl Distribution {
    fn start(directory: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let host = format!("localhost:{port}");
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            directory.join("data").display()
        );
        fs::create_dir_all(directory)?;
        let file = directory.join("config.yml");
        fs::write(&file, config)?;
        let child = Process::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run `docker-registry`: run .ci/install-clients")?;
        let registry = Self { child, host };
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                bail!("Distribution does not start");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        // Nothing is lost if it already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn migrates_from_distribution(scene: &Scene<'_>) -> Result<()> {
    let registry = Distribution::start(&scene.path("distribution"))?;
    let contents = noise(10, 200_000);
    let (layout, digest) = image::multi(scene.path("made"), &contents)?;
    let source = format!("{}/team/app", registry.host);
    crane(scene, "push")
        .arg(&layout.path)
        .arg(format!("{source}:v1"))
        .run()?;
    crane(scene, "copy")
        .args([
            &format!("{source}:v1"),
            &format!("{}/library/web:v1", registry.host),
        ])
        .run()?;
    key_pair(scene)?;
    sign(scene, &format!("{source}@{digest}"))?;
    let prefix = format!("{}/", scene.prefix());
    let migrate =
        || run(scene, "migrate").args(["--from", &registry.host, "--prefix", &prefix, "--json"]);
    let done: Value = migrate().json()?;
    ensure!(
        done["copied"]["repositories"] == 2 && done["compared"]["failures"] == 0,
        "{done}"
    );
    ensure!(
        done["copied"]["mounted"].as_u64() > Some(0),
        "blobs were sent twice: {done}"
    );
    scene.logged_in()?;
    verify(
        scene,
        &format!("{}/{prefix}team/app@{digest}", scene.host()),
    )?;
    let again: Value = migrate().json()?;
    ensure!(again["copied"]["bytes"] == 0, "{again}");
    crane(scene, "validate")
        .args([
            "--remote",
            &format!("{}/{prefix}library/web:v1", scene.host()),
        ])
        .run()
        .map(drop)
}
