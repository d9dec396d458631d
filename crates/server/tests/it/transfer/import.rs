//! Imports: everything that was exported comes back, and what is there is not sent again.

use std::fs::{self, File};

use serde_json::json;

use super::scene::{
    all_of, assert_same, beside, fill, images_of, json_of, refusal, run, start, text, through,
};
use crate::harness::{Image, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_brings_a_registry_to_another_place() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(&from, &["export", "--to", text(&layout)])).await;
    let done = json_of(through(&to, &["import", text(&layout)])).await;
    assert_eq!(done["failures"], 0, "{done}");
    assert!(
        done["mounted"].as_u64().unwrap() > 0,
        "a blob of two repositories is sent once: {done}"
    );
    assert_same(&from, &to).await;
    let fixed = json!({ "repositoryNames": ["fixed"] });
    let told = to
        .aws("DescribeRepositories", &fixed)
        .await
        .expect(200)
        .json();
    let fixed = &told["repositories"][0];
    assert_eq!(fixed["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(
        fixed["imageTagMutabilityExclusionFilters"][0]["filter"],
        "dev-*"
    );
    assert_eq!(fixed["imageScanningConfiguration"]["scanOnPush"], true);

    let again = json_of(through(&to, &["import", text(&layout)])).await;
    assert_eq!(again["bytes"], 0, "{again}");
    assert_eq!(
        again["brought"],
        json!({ "images": 0, "tags": 0, "blobs": 0 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_brings_a_store_to_another_without_a_server() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("all.tar");
    json_of(beside(&from, &["export", "--to", text(&archive)])).await;
    // Beside the running server, on standard input.
    let mut import = beside(&to, &["import", "-"]);
    import.stdin(File::open(&archive).unwrap());
    json_of(import).await;
    assert_same(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_given_as_they_are_wanted() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    fill(&from).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(
        &from,
        &["export", "team/app", "--to", text(&layout)],
    ))
    .await;
    json_of(through(
        &to,
        &["import", text(&layout), "--prefix", "mirror"],
    ))
    .await;
    json_of(through(
        &to,
        &["import", text(&layout), "--repository", "other"],
    ))
    .await;
    json_of(through(
        &to,
        &["import", text(&layout), "team/app:single", "--prefix", ""],
    ))
    .await;
    let expected = images_of(&from, "team/app").await;
    assert_eq!(images_of(&to, "mirror/team/app").await, expected);
    assert_eq!(images_of(&to, "other").await, expected);
    // The image alone, with its signature.
    let one = images_of(&to, "team/app").await;
    assert_eq!(one.len(), 2, "{one:?}");
    assert!(
        one.iter().any(|image| image.ends_with(" single")),
        "{one:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_leaves_whole_images_and_goes_on() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    for name in 0..40 {
        let name = format!("v{name}");
        from.push(&password, "app", &name, &Image::new(&name, 5))
            .await;
    }
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(&from, &["export", "--to", text(&layout)])).await;
    let mut kills = 0;
    loop {
        let mut child = start(through(&to, &["import", text(&layout), "--jobs", "2"]));
        let before = all_of(&to)
            .await
            .iter()
            .map(|(_, images)| images.len())
            .sum::<usize>();
        while child.try_wait().unwrap().is_none() {
            let now = all_of(&to)
                .await
                .iter()
                .map(|(_, images)| images.len())
                .sum::<usize>();
            if now >= before + 10 {
                break;
            }
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let password = to.password().await;
        for image in images_of(&to, "app").await {
            let digest = image.split(' ').next().unwrap();
            super::scene::assert_pulls(&to, &password, "app", digest).await;
        }
    }
    assert!(kills > 0, "nothing was killed on its way");
    let last = json_of(through(&to, &["import", text(&layout)])).await;
    assert_eq!(last["failures"], 0);
    assert_same(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_kept_for_who_says_so() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    for (server, image) in [(&from, "theirs"), (&to, "ours")] {
        let password = server.password().await;
        server.create("app").await;
        server
            .push(&password, "app", "v1", &Image::new(image, 1))
            .await;
    }
    let (ours, theirs) = (images_of(&to, "app").await, images_of(&from, "app").await);
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(&from, &["export", "--to", text(&layout)])).await;
    let said = refusal(through(&to, &["import", text(&layout), "--keep-tags"])).await;
    assert!(
        said.contains("failed: app:v1: ") && said.contains("and is kept"),
        "{said}"
    );
    let now = images_of(&to, "app").await;
    assert!(now.len() == 2 && now.contains(&ours[0]), "{now:?}");
    json_of(through(&to, &["import", text(&layout)])).await;
    let now = images_of(&to, "app").await;
    assert!(now.contains(&theirs[0]), "{now:?}");
    // What stands for the same image is no matter.
    json_of(through(&to, &["import", text(&layout), "--keep-tags"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_may_not_move_is_told_and_the_others_come() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    from.push(&password, "app", "v1", &Image::new("one", 1))
        .await;
    from.push(&password, "app", "v2", &Image::new("two", 1))
        .await;
    let immutable = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
    to.aws("CreateRepository", &immutable).await.expect(200);
    let password = to.password().await;
    to.push(&password, "app", "v1", &Image::new("another", 1))
        .await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(&from, &["export", "--to", text(&layout)])).await;
    let output = run(through(&to, &["import", text(&layout)])).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("failed: app:v1: ") && said.contains("already exists"),
        "{said}"
    );
    let images = images_of(&to, "app").await;
    assert!(
        images.iter().any(|image| image.ends_with(" v2")),
        "{images:?}"
    );
    drop(fs::remove_dir_all(layout));
}
