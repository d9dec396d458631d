//! Pushing to public repositories over `/v2/`.

use serde_json::json;

use super::Scene;
use crate::harness::{Image, digest_of};

#[tokio::test]
async fn the_places_of_an_upload_are_those_that_were_asked_for() {
    let scene = Scene::start().await;
    let path = format!("/v2/public/{}/team/app", scene.alias);
    let begun = scene
        .owner("POST", "blobs/uploads/")
        .send()
        .await
        .expect(202);
    let location = begun.header("location").unwrap().to_owned();
    let upload = location
        .strip_prefix(&format!("{path}/blobs/uploads/"))
        .unwrap();
    let at = |method: &str| scene.owner(method, &format!("blobs/uploads/{upload}"));
    let sent = at("PATCH").body("0123456789").send().await.expect(202);
    assert_eq!(sent.header("location"), Some(location.as_str()));
    let gap = at("PATCH").header("Content-Range", "20-21").body("ab");
    let gap = gap.send().await.expect(416);
    assert_eq!(gap.header("location"), Some(location.as_str()));
    let digest = digest_of(b"0123456789");
    let close = scene.owner("PUT", &format!("blobs/uploads/{upload}?digest={digest}"));
    let closed = close.send().await.expect(201);
    let blob = format!("{path}/blobs/{digest}");
    assert_eq!(closed.header("location"), Some(blob.as_str()));
    let image = Image::new("x", 1);
    let put = scene.put(&image, "v1").await.expect(201);
    let manifest = format!("{path}/manifests/{}", digest_of(&image.manifest()));
    assert_eq!(put.header("location"), Some(manifest.as_str()));
}

#[tokio::test]
async fn blobs_are_mounted_within_a_registry_only() {
    let scene = Scene::start().await;
    let image = scene.image().await;
    let layer = digest_of(image.blobs().last().unwrap());
    let create = json!({ "repositoryName": "other" });
    scene.ours.public("CreateRepository", &create).await;
    scene.ours.ecr("CreateRepository", &create).await;
    let alias = &scene.alias;
    let other = |from: &str| {
        let path = format!("/v2/public/{alias}/other/blobs/uploads/?mount={layer}&from={from}");
        let request = scene.server.request("POST", &path);
        let login = crate::harness::basic("AWS", &scene.password);
        request.header("Authorization", login).send()
    };
    for from in [
        "team/app",
        "public/nobodys/team/app",
        "public/team/app",
        "..",
        "other",
    ] {
        other(from).await.expect(202);
    }
    other(&format!("public/{alias}/team/app")).await.expect(201);
    // What is public does not get into a private repository by its name alone, nor the other way.
    let private = b"what is in a private repository";
    let secret = digest_of(private);
    let path = format!("other/blobs/uploads/?digest={secret}");
    scene
        .ours
        .v2("POST", &path)
        .body(private)
        .send()
        .await
        .expect(201);
    for from in [format!("public/{alias}/team/app"), "other".to_owned()] {
        let path = format!("other/blobs/uploads/?mount={layer}&from={from}");
        scene.ours.v2("POST", &path).send().await.expect(202);
    }
    let mount = |more: &str| {
        scene
            .owner("POST", &format!("blobs/uploads/?mount={secret}{more}"))
            .send()
    };
    for more in ["", "&from=other", "&from=public/other"] {
        mount(more).await.expect(202);
    }
    scene
        .nobody("GET", &format!("blobs/{secret}"))
        .send()
        .await
        .expect(404);
}

#[tokio::test]
async fn no_policy_keeps_anybody_from_pulling() {
    let scene = Scene::start().await;
    scene.image().await;
    let deny = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Principal": "*",
        "Action": ["ecr-public:*", "ecr:*"] } });
    let set =
        json!({ "repositoryName": "team/app", "policyText": deny.to_string(), "force": true });
    scene.ours.public("SetRepositoryPolicy", &set).await;
    scene.nobody("GET", "manifests/v1").send().await.expect(200);
    scene.owner("GET", "manifests/v1").send().await.expect(200);
    let refused = scene.put(&Image::new("y", 1), "v2").await.expect(403);
    let (code, text) = refused.error();
    assert_eq!(code, "DENIED");
    assert!(
        text.contains(
            "ecr-public:PutImage on resource: arn:aws:ecr-public::000000000000:repository/team/app"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn nobody_pushes_whatever_a_policy_opens() {
    let scene = Scene::start().await;
    let open = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Principal": "*",
        "Action": "ecr-public:*" } });
    let set = json!({ "repositoryName": "team/app", "policyText": open.to_string() });
    scene.ours.public("SetRepositoryPolicy", &set).await;
    scene
        .nobody("POST", "blobs/uploads/")
        .send()
        .await
        .expect(401);
    scene
        .nobody("PUT", "manifests/v1")
        .body("{}")
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn strangers_push_where_a_policy_lets_them() {
    let scene = Scene::start().await;
    let theirs = scene.ours.another("theirs").await;
    let password = theirs.admin.public_password().await;
    let push = || {
        let request = scene.nobody("POST", "blobs/uploads/");
        request
            .header("Authorization", crate::harness::basic("AWS", &password))
            .send()
    };
    let refused = push().await.expect(403).error();
    assert!(
        refused.1.contains(
            "because no resource-based policy allows the ecr-public:InitiateLayerUpload action"
        ),
        "{refused:?}"
    );
    let set = async |action: &str| {
        let open = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
            "Principal": { "AWS": theirs.id }, "Action": action } });
        let set = json!({ "repositoryName": "team/app", "policyText": open.to_string() });
        scene
            .ours
            .admin
            .call("ecr-public", "SetRepositoryPolicy", &set)
            .await
    };
    set("ecr-public:InitiateLayerUpload").await;
    push().await.expect(202);
    // What a policy says of private registries is said of none here.
    set("ecr:*").await;
    push().await.expect(403);
}

#[tokio::test]
async fn pulls_without_a_name_have_a_quota_of_their_own() {
    let quota = [
        "ecr-public:PullImage=1:2/network",
        "ecr-public:PullImage=1:5",
    ];
    let quotas = quota.map(|quota| quota.parse().unwrap());
    let scene = Scene::with(|config| config.rate_quotas = quotas.to_vec()).await;
    scene.image().await;
    let mut throttled = None;
    for _ in 0..10 {
        let answer = scene.nobody("GET", "manifests/v1").send().await;
        if answer.status == 429 {
            throttled = Some(answer);
            break;
        }
    }
    let throttled = throttled.unwrap();
    let told = ("TOOMANYREQUESTS".to_owned(), "Rate exceeded".to_owned());
    assert_eq!(throttled.error(), told);
    assert!(throttled.header("retry-after").is_some());
    scene.owner("GET", "manifests/v1").send().await.expect(200);
    // Layers do not count: an image has many.
    for _ in 0..5 {
        scene.nobody("GET", "tags/list").send().await.expect(200);
    }
}
