//! Migrations from other registries, through networks and registries that are not to be trusted.

use std::{fs, sync::Mutex};

use serde_json::json;

use super::{
    proxy::{Proxy, body_at},
    scene::{
        all_of, artifact, assert_same, descriptor, fill, images_of, json_of, refusal, run, text,
        through,
    },
};
use crate::harness::{Image, TestServer};

/// `longshore migrate` into a server from an address, with the password of another server's administrator.
async fn migrate(
    to: &TestServer,
    from: &TestServer,
    address: &str,
    args: &[&str],
) -> std::process::Command {
    let mut command = through(to, &["migrate", "--from", address, "--source-user", "AWS"]);
    command
        .args(args)
        .env("LONGSHORE_SOURCE_PASSWORD", from.password().await);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_copied_by_the_distribution_protocol() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let done = json_of(migrate(&to, &from, &from.host(), &[]).await).await;
    assert_eq!(done["copied"]["failures"], 0, "{done}");
    assert_eq!(done["compared"]["failures"], 0, "{done}");
    // Here something names every image, so all can be found by that protocol.
    assert_same(&from, &to).await;

    let again = json_of(migrate(&to, &from, &from.host(), &[]).await).await;
    assert_eq!(again["copied"]["bytes"], 0, "{again}");
    assert_eq!(
        again["copied"]["brought"],
        json!({ "images": 0, "tags": 0, "blobs": 0 })
    );

    // What has changed comes, and what is missing is told without being brought.
    let password = from.password().await;
    from.push(&password, "team/app", "single", &Image::new("newer", 1))
        .await;
    let said = refusal(migrate(&to, &from, &from.host(), &["--verify"]).await).await;
    assert!(said.contains("failed: team/app:single: "), "{said}");
    json_of(
        migrate(
            &to,
            &from,
            &from.host(),
            &["--repositories", "team/*,charts/*"],
        )
        .await,
    )
    .await;
    json_of(migrate(&to, &from, &from.host(), &["--verify"]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_speaks_ecrs_api_is_copied_with_its_untagged_images_and_settings() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let password = from.password().await;
    // An image that a tag has left, of which nothing else knows.
    for name in ["left", "taken"] {
        from.push(&password, "team/app", "moving", &Image::new(name, 2))
            .await;
    }
    let mut command = through(&to, &["migrate", "--from", &from.host()]);
    let key = &from.credentials.key;
    command.env("LONGSHORE_SOURCE_AWS_ACCESS_KEY_ID", &key.id);
    command.env("LONGSHORE_SOURCE_AWS_SECRET_ACCESS_KEY", &key.secret);
    command.env("LONGSHORE_SOURCE_AWS_REGION", "us-east-1");
    json_of(command).await;
    assert_same(&from, &to).await;
    let fixed = json!({ "repositoryNames": ["fixed"] });
    let told = to
        .aws("DescribeRepositories", &fixed)
        .await
        .expect(200)
        .json();
    assert_eq!(
        told["repositories"][0]["imageTagMutability"],
        "IMMUTABLE_WITH_EXCLUSION"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_repository_goes_under_another_prefix() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let address = format!("{}/charts/web", from.host());
    json_of(migrate(&to, &from, &address, &["--prefix", "old/"]).await).await;
    let expected = vec![(
        "old/charts/web".to_owned(),
        images_of(&from, "charts/web").await,
    )];
    assert_eq!(all_of(&to).await, expected);
    let absent = format!("{}/absent", from.host());
    let said = refusal(migrate(&to, &from, &absent, &[]).await).await;
    assert!(said.contains("404"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_never_arrive() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    let image = Image::new("bad", 1);
    from.push(&password, "app", "bad", &image).await;
    from.push(&password, "app", "good", &Image::new("good", 1))
        .await;
    let layer = crate::harness::digest_of(image.blobs().nth(1).unwrap());
    let wrong = layer.clone();
    let flip = move |asked: &str, mut answer: Vec<u8>| {
        if asked.starts_with("GET ") && asked.contains(&wrong) {
            let at = body_at(&answer) + 3;
            answer[at] ^= 4;
        }
        answer
    };
    let proxy = Proxy::before(from.address(), Box::new(flip)).await;
    let said = refusal(migrate(&to, &from, &proxy.address.to_string(), &[]).await).await;
    assert!(
        said.contains("failed: app:bad: ") && said.contains("are not those of the blob"),
        "{said}"
    );
    assert!(
        said.contains("the tag is missing at the target")
            || said.contains("is missing at the target"),
        "{said}"
    );
    let images = images_of(&to, "app").await;
    assert!(
        images.len() == 1 && images[0].ends_with(" good"),
        "{images:?}"
    );
    let password = to.password().await;
    let path = format!("app/blobs/{layer}");
    to.v2(&password, "GET", &path).send().await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_changed_on_its_way_is_refused() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    from.push(&password, "app", "v1", &Image::new("one", 1))
        .await;
    let change = |asked: &str, mut answer: Vec<u8>| {
        if asked.starts_with("GET ") && asked.contains("/manifests/") {
            let last = answer.len() - 1;
            answer[last] = b' ';
        }
        answer
    };
    let proxy = Proxy::before(from.address(), Box::new(change)).await;
    let said = refusal(migrate(&to, &from, &proxy.address.to_string(), &[]).await).await;
    assert!(said.contains("the manifest that it sends as"), "{said}");
    assert!(images_of(&to, "app").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_breaks_off_is_read_on_from_there() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    let layer = vec![7; 3_000_000];
    let digest = from.push_blob(&password, "app", &layer).await;
    from.push_blob(&password, "app", b"{}").await;
    let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)] });
    super::scene::put(
        &from,
        "app",
        Some("v1"),
        Image::MEDIA_TYPE,
        manifest.to_string().as_bytes(),
    )
    .await;
    let wanted = digest.clone();
    // Each answer with more than a million bytes ends after a million; the third request is refused for a while.
    let tries = Mutex::new(0);
    let cut = move |asked: &str, mut answer: Vec<u8>| {
        if asked.starts_with("GET ") && asked.contains(&wanted) {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            if *tries == 3 {
                return b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_vec();
            }
            answer.truncate(1_000_000);
        }
        answer
    };
    let proxy = Proxy::before(from.address(), Box::new(cut)).await;
    let done = json_of(migrate(&to, &from, &proxy.address.to_string(), &[]).await).await;
    assert_eq!(done["copied"]["bytes"], layer.len() + 2, "{done}");
    let ranges = proxy
        .asked()
        .iter()
        .filter(|asked| asked.to_lowercase().contains("range: bytes="))
        .count();
    assert!(ranges >= 3, "{:?}", proxy.asked());
    assert_same(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_found_without_the_api_for_them() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    let image = Image::new("subject", 1);
    let digest = from.push(&password, "app", "v1", &image).await;
    let referrer = artifact(
        &from,
        "app",
        &descriptor(Image::MEDIA_TYPE, &image.manifest()),
        "sbom",
    )
    .await;
    // As clients write for registries without the API.
    let index = json!({ "schemaVersion": 2, "mediaType": super::scene::INDEX,
        "manifests": [descriptor(Image::MEDIA_TYPE, &referrer)] });
    let tag = digest.replace(':', "-");
    super::scene::put(
        &from,
        "app",
        Some(&tag),
        super::scene::INDEX,
        index.to_string().as_bytes(),
    )
    .await;
    let without = |asked: &str, answer: Vec<u8>| {
        if asked.contains("/referrers/") {
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        answer
    };
    let proxy = Proxy::before(from.address(), Box::new(without)).await;
    json_of(migrate(&to, &from, &proxy.address.to_string(), &[]).await).await;
    assert_same(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_is_told_so_and_passwords_come_from_a_file() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let address = from.host();
    let said = refusal(through(&to, &["migrate", "--from", &address])).await;
    assert!(
        said.contains("does not list its repositories") && said.contains("401"),
        "{said}"
    );
    let said = refusal(through(
        &to,
        &["migrate", "--from", &address, "--source-user", "AWS"],
    ))
    .await;
    assert!(said.contains("a user and a password go together"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, format!("{}\n", from.password().await)).unwrap();
    let args = [
        "migrate",
        "--from",
        &address,
        "--source-user",
        "AWS",
        "--source-password-file",
        text(&file),
    ];
    let done = run(through(&to, &args)).await;
    assert!(done.status.success(), "{done:?}");
    assert!(
        String::from_utf8_lossy(&done.stdout).starts_with("copied 4 repositories: "),
        "{done:?}"
    );
}
