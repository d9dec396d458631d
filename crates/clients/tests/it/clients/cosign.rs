//! cosign: signatures and attestations with a local key and no transparency log.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "cosign",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "signs_with_a_referrer_and_verifies",
        signs_with_a_referrer_and_verifies,
    ),
    Case::new(
        "signs_with_a_tag_and_verifies",
        signs_with_a_tag_and_verifies,
    ),
    Case::new(
        "attests_and_verifies_the_attestation",
        attests_and_verifies_the_attestation,
    ),
    Case::new(
        "copies_an_image_with_its_signature",
        copies_an_image_with_its_signature,
    ),
    Case::new(
        "does_not_verify_with_another_key",
        does_not_verify_with_another_key,
    ),
    Case::new(
        "does_not_verify_an_unsigned_image",
        does_not_verify_an_unsigned_image,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    let told = scene.command("cosign").args(["version", "--json"]).run()?;
    let told: serde_json::Value = serde_json::from_str(&told.stdout)?;
    Ok(told["gitVersion"]
        .as_str()
        .context("no version")?
        .to_owned())
}

fn cosign(scene: &Scene<'_>) -> Command {
    scene
        .command("cosign")
        .env("COSIGN_PASSWORD", "")
        .env("COSIGN_EXPERIMENTAL", "1")
        .env("SIGSTORE_NO_CACHE", "true")
}

/// Pushes an image, makes a key pair `name.key`, and returns the image pinned by digest.
fn pushed(scene: &Scene<'_>, suffix: &str, seed: u64) -> Result<String> {
    let target = scene.logged_in()?.target(suffix)?;
    let (layout, digest) = image::single(
        scene.path(&format!("layout-{suffix}")),
        &noise(seed, 10_000),
    )?;
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(format!("{target}:v1"))
        .run()?;
    Ok(format!("{target}@{digest}"))
}

fn key_pair(scene: &Scene<'_>, name: &str) -> Result<()> {
    cosign(scene)
        .args(["generate-key-pair", "--output-key-prefix", name])
        .run()
        .map(drop)
}

fn sign(scene: &Scene<'_>, pinned: &str, flags: &[&str]) -> Result<()> {
    let sign = [
        "sign",
        "--yes",
        "--key",
        "cosign.key",
        "--tlog-upload=false",
    ];
    cosign(scene)
        .args(sign)
        .args(flags)
        .arg(pinned)
        .run()
        .map(drop)
}

fn verify(scene: &Scene<'_>, pinned: &str, flags: &[&str]) -> Command {
    cosign(scene)
        .args(["verify", "--insecure-ignore-tlog=true"])
        .args(flags)
        .arg(pinned)
}

fn signs_with_a_referrer_and_verifies(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "app", 11)?;
    key_pair(scene, "cosign")?;
    sign(scene, &pinned, &["--registry-referrers-mode=oci-1-1"])?;
    let verified = verify(
        scene,
        &pinned,
        &["--key", "cosign.pub", "--experimental-oci11"],
    )
    .json()?;
    let digest = &verified[0]["critical"]["image"]["docker-manifest-digest"];
    ensure!(
        digest
            .as_str()
            .is_some_and(|digest| pinned.ends_with(digest)),
        "{verified}"
    );
    let tags = scene
        .command("crane")
        .args(["ls", pinned.split('@').next().unwrap_or_default()])
        .text()?;
    ensure!(tags == "v1", "the signature became a tag: {tags}");
    let tree = cosign(scene)
        .args(["tree", "--experimental-oci11", &pinned])
        .text()?;
    ensure!(
        tree.contains("application/vnd.dev.cosign.artifact.sig.v1+json"),
        "{tree}"
    );
    Ok(())
}

fn signs_with_a_tag_and_verifies(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "app", 12)?;
    key_pair(scene, "cosign")?;
    sign(scene, &pinned, &[])?;
    verify(scene, &pinned, &["--key", "cosign.pub"]).json()?;
    let tags = scene
        .command("crane")
        .args(["ls", pinned.split('@').next().unwrap_or_default()])
        .text()?;
    let signature = format!(
        "{}.sig",
        pinned
            .rsplit('@')
            .next()
            .unwrap_or_default()
            .replace(':', "-")
    );
    ensure!(tags.lines().any(|tag| tag == signature), "{tags}");
    let tree = cosign(scene).args(["tree", &pinned]).text()?;
    ensure!(tree.contains("Signatures for an image"), "{tree}");
    Ok(())
}

fn attests_and_verifies_the_attestation(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "app", 13)?;
    key_pair(scene, "cosign")?;
    scene.file("predicate.json", json!({"built": "here"}).to_string())?;
    let attest = [
        "attest",
        "--yes",
        "--key",
        "cosign.key",
        "--tlog-upload=false",
        "--predicate",
        "predicate.json",
    ];
    cosign(scene).args(attest).arg(&pinned).run()?;
    let verify = [
        "verify-attestation",
        "--key",
        "cosign.pub",
        "--insecure-ignore-tlog=true",
        "--type",
        "custom",
    ];
    cosign(scene).args(verify).arg(&pinned).json().map(drop)
}

fn copies_an_image_with_its_signature(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "from", 14)?;
    key_pair(scene, "cosign")?;
    sign(scene, &pinned, &[])?;
    let to = scene.target("to")?;
    cosign(scene)
        .args(["copy", &pinned, &format!("{to}:v1")])
        .run()?;
    verify(scene, &format!("{to}:v1"), &["--key", "cosign.pub"])
        .json()
        .map(drop)
}

fn does_not_verify_with_another_key(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "app", 15)?;
    key_pair(scene, "cosign")?;
    key_pair(scene, "other")?;
    sign(scene, &pinned, &["--registry-referrers-mode=oci-1-1"])?;
    verify(
        scene,
        &pinned,
        &["--key", "cosign.pub", "--experimental-oci11"],
    )
    .json()?;
    let flags = ["--key", "other.pub", "--experimental-oci11"];
    verify(scene, &pinned, &flags).refused(&["signatures"])
}

fn does_not_verify_an_unsigned_image(scene: &Scene<'_>) -> Result<()> {
    let pinned = pushed(scene, "app", 16)?;
    key_pair(scene, "cosign")?;
    verify(scene, &pinned, &["--key", "cosign.pub"]).refused(&["no signatures found"])
}
