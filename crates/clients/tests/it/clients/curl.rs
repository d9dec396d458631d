//! curl: the protocol as it is on the wire.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::image::{OCI_CONFIG, OCI_MANIFEST, digest, noise};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "curl",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "is_challenged_and_gets_a_token",
        is_challenged_and_gets_a_token,
    ),
    Case::new("uploads_a_blob_in_chunks", uploads_a_blob_in_chunks),
    Case::new("is_told_where_to_resume", is_told_where_to_resume),
    Case::new(
        "uploads_a_blob_in_one_request",
        uploads_a_blob_in_one_request,
    ),
    Case::new("reads_ranges_of_a_blob", reads_ranges_of_a_blob),
    Case::new("mounts_a_blob", mounts_a_blob),
    Case::new(
        "follows_links_through_pages_of_tags",
        follows_links_through_pages_of_tags,
    ),
    Case::new(
        "asks_for_health_without_credentials",
        asks_for_health_without_credentials,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    let text = scene.command("curl").arg("--version").text()?;
    Ok(text.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// A response as curl's `--include` prints it.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Result<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        Ok(&found.with_context(|| format!("no {name} header"))?.1)
    }

    fn expect(self, status: u16) -> Result<Self> {
        let body = String::from_utf8_lossy(&self.body);
        ensure!(
            self.status == status,
            "status {} instead of {status}: {body}",
            self.status
        );
        Ok(self)
    }

    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// Sends a request with headers and body kept apart from each other.
fn send(scene: &Scene<'_>, command: Command, method: &str, url: &str) -> Result<Answer> {
    let command = if method == "HEAD" {
        command.arg("--head")
    } else {
        command.args(["--request", method])
    };
    command
        .args(["-sS", "--dump-header", "headers", "--output", "body", url])
        .run()?;
    let text = String::from_utf8_lossy(&std::fs::read(scene.path("headers"))?).into_owned();
    // The last block counts: an interim `100 Continue` comes before it.
    let block = text
        .trim_end()
        .rsplit("\r\n\r\n")
        .next()
        .unwrap_or_default();
    let status = block.split(' ').nth(1).context("no status")?.parse()?;
    let headers = block
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let body = std::fs::read(scene.path("body")).unwrap_or_default();
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn anonymous(scene: &Scene<'_>, method: &str, path: &str) -> Result<Answer> {
    send(
        scene,
        scene.command("curl"),
        method,
        &format!("{}{path}", scene.world.server.url),
    )
}

fn basic(scene: &Scene<'_>) -> Result<Command> {
    scene.curl("AWS", &scene.world.password)
}

fn call(scene: &Scene<'_>, method: &str, path: &str) -> Result<Answer> {
    send(scene, basic(scene)?, method, &url(scene, path))
}

/// A path of this server as a URL; a `Location` may already be one.
fn url(scene: &Scene<'_>, path: &str) -> String {
    if path.starts_with("http") {
        path.to_owned()
    } else {
        format!("{}{path}", scene.world.server.url)
    }
}

fn upload(
    scene: &Scene<'_>,
    method: &str,
    path: &str,
    bytes: &[u8],
    headers: &[&str],
) -> Result<Answer> {
    scene.file("upload", bytes)?;
    let command = headers.iter().fold(basic(scene)?, |command, header| {
        command.args(["-H", header])
    });
    let command = command.args([
        "-H",
        "Content-Type: application/octet-stream",
        "--data-binary",
        "@upload",
    ]);
    send(scene, command, method, &url(scene, path))
}

fn started(scene: &Scene<'_>, repository: &str) -> Result<String> {
    let answer = upload(
        scene,
        "POST",
        &format!("/v2/{repository}/blobs/uploads/"),
        b"",
        &[],
    )?
    .expect(202)?;
    Ok(answer.header("location")?.to_owned())
}

fn with_digest(location: &str, bytes: &[u8]) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={}", digest(bytes))
}

fn push_blob(scene: &Scene<'_>, repository: &str, bytes: &[u8]) -> Result<()> {
    let location = started(scene, repository)?;
    upload(scene, "PUT", &with_digest(&location, bytes), bytes, &[])?
        .expect(201)
        .map(drop)
}

fn is_challenged_and_gets_a_token(scene: &Scene<'_>) -> Result<()> {
    let challenge = anonymous(scene, "GET", "/v2/")?.expect(401)?;
    let (url, host) = (&scene.world.server.url, scene.host());
    let wanted = format!("Bearer realm=\"{url}/token/\",service=\"{host}\",scope=\"aws\"");
    ensure!(
        challenge.header("www-authenticate")? == wanted,
        "{}",
        challenge.header("www-authenticate")?
    );
    let token = call(scene, "GET", "/token/?service=any&scope=aws")?
        .expect(200)?
        .json()?;
    let bearer = format!(
        "Authorization: Bearer {}",
        token["token"].as_str().context("no token")?
    );
    let command = scene.command("curl").args(["-H", &bearer]);
    let answer = send(scene, command, "GET", &format!("{url}/v2/"))?.expect(200)?;
    ensure!(
        answer.header("docker-distribution-api-version")? == "registry/2.0",
        "another version"
    );
    call(scene, "GET", "/v2/")?.expect(200).map(drop)
}

fn uploads_a_blob_in_chunks(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    let bytes = noise(40, 300_000);
    let mut location = started(scene, &repository)?;
    for (number, chunk) in bytes.chunks(100_000).enumerate() {
        let first = number * 100_000;
        let range = format!("Content-Range: {first}-{}", first + chunk.len() - 1);
        let answer = upload(scene, "PATCH", &location, chunk, &[&range])?.expect(202)?;
        ensure!(
            answer.header("range")? == format!("0-{}", first + chunk.len() - 1),
            "{}",
            answer.header("range")?
        );
        answer.header("location")?.clone_into(&mut location);
    }
    let done = upload(scene, "PUT", &with_digest(&location, &bytes), b"", &[])?.expect(201)?;
    ensure!(
        done.header("docker-content-digest")? == digest(&bytes),
        "another digest"
    );
    let blob = call(
        scene,
        "GET",
        &format!("/v2/{repository}/blobs/{}", digest(&bytes)),
    )?
    .expect(200)?;
    ensure!(blob.body == bytes, "other bytes came back");
    Ok(())
}

fn is_told_where_to_resume(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    let location = started(scene, &repository)?;
    let first = upload(
        scene,
        "PATCH",
        &location,
        &noise(41, 1000),
        &["Content-Range: 0-999"],
    )?
    .expect(202)?;
    let location = first.header("location")?.to_owned();
    let refused = upload(
        scene,
        "PATCH",
        &location,
        &noise(42, 1000),
        &["Content-Range: 5000-5999"],
    )?
    .expect(416)?;
    ensure!(
        refused.header("range")? == "0-999",
        "{}",
        refused.header("range")?
    );
    let progress = call(scene, "GET", &location)?.expect(204)?;
    ensure!(
        progress.header("range")? == "0-999",
        "{}",
        progress.header("range")?
    );
    upload(
        scene,
        "PATCH",
        &location,
        &noise(43, 10),
        &["Content-Range: 1000-1009"],
    )?
    .expect(202)
    .map(drop)
}

fn uploads_a_blob_in_one_request(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    let bytes = noise(44, 5000);
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(&bytes));
    upload(scene, "POST", &path, &bytes, &[])?.expect(201)?;
    let head = call(
        scene,
        "HEAD",
        &format!("/v2/{repository}/blobs/{}", digest(&bytes)),
    )?
    .expect(200)?;
    ensure!(
        head.header("content-length")? == "5000",
        "{}",
        head.header("content-length")?
    );
    Ok(())
}

fn reads_ranges_of_a_blob(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    let bytes = noise(45, 200_000);
    push_blob(scene, &repository, &bytes)?;
    let path = format!(
        "{}/v2/{repository}/blobs/{}",
        scene.world.server.url,
        digest(&bytes)
    );
    for (range, wanted) in [
        ("100-199", 100..200),
        ("65530-65545", 65530..65546),
        ("-5", 199_995..200_000),
    ] {
        let answer =
            send(scene, basic(scene)?.args(["--range", range]), "GET", &path)?.expect(206)?;
        ensure!(
            answer.body == bytes[wanted.clone()],
            "other bytes for {range}"
        );
        let told = format!("bytes {}-{}/200000", wanted.start, wanted.end - 1);
        ensure!(
            answer.header("content-range")? == told,
            "{}",
            answer.header("content-range")?
        );
    }
    send(
        scene,
        basic(scene)?.args(["--range", "200000-"]),
        "GET",
        &path,
    )?
    .expect(416)
    .map(drop)
}

fn mounts_a_blob(scene: &Scene<'_>) -> Result<()> {
    let (from, to) = (scene.repository("from")?, scene.repository("to")?);
    let bytes = noise(46, 70_000);
    push_blob(scene, &from, &bytes)?;
    let mount = format!(
        "/v2/{to}/blobs/uploads/?mount={}&from={from}",
        digest(&bytes)
    );
    upload(scene, "POST", &mount, b"", &[])?.expect(201)?;
    call(scene, "HEAD", &format!("/v2/{to}/blobs/{}", digest(&bytes)))?.expect(200)?;
    let absent = format!(
        "/v2/{to}/blobs/uploads/?mount={}&from={from}",
        digest(b"nobody has this")
    );
    upload(scene, "POST", &absent, b"", &[])?
        .expect(202)
        .map(drop)
}

fn follows_links_through_pages_of_tags(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    push_blob(scene, &repository, b"{}")?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
        "config": {"mediaType": OCI_CONFIG, "digest": digest(b"{}"), "size": 2},
    });
    scene.file("manifest", manifest.to_string())?;
    for tag in ["a", "b", "c", "d", "e"] {
        let kind = format!("Content-Type: {OCI_MANIFEST}");
        let command = basic(scene)?.args(["-H", &kind, "--data-binary", "@manifest"]);
        send(
            scene,
            command,
            "PUT",
            &url(scene, &format!("/v2/{repository}/manifests/{tag}")),
        )?
        .expect(201)?;
    }
    let (mut path, mut seen) = (format!("/v2/{repository}/tags/list?n=2"), Vec::new());
    loop {
        let page = call(scene, "GET", &path)?.expect(200)?;
        let tags: Vec<String> = serde_json::from_value(page.json()?["tags"].clone())?;
        ensure!(tags.len() <= 2, "{tags:?}");
        seen.extend(tags);
        let Ok(link) = page.header("link") else { break };
        link.split(['<', '>'])
            .nth(1)
            .context("no target in the link")?
            .clone_into(&mut path);
    }
    ensure!(seen == ["a", "b", "c", "d", "e"], "{seen:?}");
    Ok(())
}

fn asks_for_health_without_credentials(scene: &Scene<'_>) -> Result<()> {
    anonymous(scene, "GET", "/healthz")?.expect(200)?;
    anonymous(scene, "GET", "/readyz")?.expect(200).map(drop)
}
