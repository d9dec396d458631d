//! Upload ids, layer digests and layer URLs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Swap, check_all, v2};
use crate::{
    harness::{Account, Image, digest_of},
    walk::{answer::Wire, rules::Opened, scene::Scene},
};

/// The stranger's own repository.
const HOME: &str = "home";

async fn scene() -> Scene {
    let scene = Scene::empty().await;
    let home = json!({ "repositoryName": HOME });
    scene.theirs.ecr("CreateRepository", &home).await;
    scene
}

fn api(
    account: &Account,
    operation: &str,
    ids: (&str, &str),
    input: impl Fn(&str) -> Value,
) -> Swap {
    Swap::call(&account.admin, "ecr", operation, input, ids)
}

fn request(
    account: &Account,
    method: &str,
    path: impl Fn(&str) -> String,
    body: &[u8],
    ids: (&str, &str),
) -> Swap {
    let ask = |id| v2(account, method, &path(id)).body(body);
    Swap {
        what: format!("{method} {}", path("ID")),
        real: ask(ids.0),
        made_up: ask(ids.1),
        ids: vec![(ids.0.to_owned(), ids.1.to_owned())],
        wire: Wire::V2,
    }
}

/// What goes on with an upload, in a repository of an account.
fn of_upload(account: &Account, repository: &str, ids: (&str, &str)) -> Vec<Swap> {
    let part = b"a part".as_slice();
    let digest = digest_of(part);
    let path = |id: &str| format!("{repository}/blobs/uploads/{id}");
    vec![
        api(account, "UploadLayerPart", ids, |id| {
            json!({ "repositoryName": repository, "uploadId": id, "partFirstByte": 0, "partLastByte": 5,
                "layerPartBlob": STANDARD.encode(part) })
        }),
        api(
            account,
            "CompleteLayerUpload",
            ids,
            |id| json!({ "repositoryName": repository, "uploadId": id, "layerDigests": [digest] }),
        ),
        request(account, "PATCH", path, part, ids),
        request(
            account,
            "PUT",
            |id| format!("{}?digest={digest}", path(id)),
            b"",
            ids,
        ),
        request(
            account,
            "PUT",
            |id| format!("{}?digest={digest}", path(id)),
            part,
            ids,
        ),
        request(account, "GET", path, b"", ids),
        request(account, "DELETE", path, b"", ids),
    ]
}

#[tokio::test]
async fn an_upload_is_its_repositorys_alone() {
    let scene = scene().await;
    let (first, second) = (
        scene.empty_repository(Opened::ToStrangers).await,
        scene.empty_repository(Opened::Closed).await,
    );
    let upload = scene.upload(&first, b"a part").await;
    let absent = Uuid::now_v7().to_string();
    let ids = (upload.as_str(), absent.as_str());
    let mut swaps = of_upload(&scene.theirs, HOME, ids);
    swaps.extend(of_upload(&scene.ours, &second, ids));
    check_all(&scene, swaps).await;
    let digest = digest_of(b"a part");
    let close = scene.ours.v2(
        "PUT",
        &format!("{first}/blobs/uploads/{upload}?digest={digest}"),
    );
    close.send().await.expect(201);
}

/// What asks for a layer, in a repository of an account.
fn of_layer(account: &Account, repository: &str, ids: (&str, &str)) -> Vec<Swap> {
    let path = |id: &str| format!("{repository}/blobs/{id}");
    let manifest = |id: &str| {
        let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": id, "size": 3 });
        json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "config": layer, "layers": [layer] })
    };
    vec![
        api(
            account,
            "GetDownloadUrlForLayer",
            ids,
            |id| json!({ "repositoryName": repository, "layerDigest": id }),
        ),
        api(
            account,
            "PutImage",
            ids,
            |id| json!({ "repositoryName": repository, "imageTag": "t", "imageManifest": manifest(id).to_string() }),
        ),
        request(account, "GET", path, b"", ids),
        request(account, "HEAD", path, b"", ids),
        request(account, "DELETE", path, b"", ids),
    ]
}

/// What asks for an image.
fn of_image(account: &Account, repository: &str, ids: (&str, &str)) -> Vec<Swap> {
    let path = |id: &str| format!("{repository}/manifests/{id}");
    let index = |id: &str| {
        json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{ "mediaType": Image::MEDIA_TYPE, "digest": id, "size": 3 }] })
    };
    vec![
        api(
            account,
            "DescribeImages",
            ids,
            |id| json!({ "repositoryName": repository, "imageIds": [{ "imageDigest": id }] }),
        ),
        api(
            account,
            "PutImage",
            ids,
            |id| json!({ "repositoryName": repository, "imageTag": "t", "imageManifest": index(id).to_string() }),
        ),
        request(account, "GET", path, b"", ids),
        request(account, "HEAD", path, b"", ids),
        request(account, "DELETE", path, b"", ids),
    ]
}

#[tokio::test]
async fn bytes_that_another_repository_has_are_unknown_here() {
    let scene = scene().await;
    let theirs = scene.repository(Opened::Closed).await;
    let second = scene.empty_repository(Opened::Closed).await;
    let absent = digest_of(b"what nobody pushed");
    let (layer, image) = (theirs.layer_digest(), theirs.image_digest());
    let mut swaps = Vec::new();
    for (account, repository) in [(&scene.theirs, HOME), (&scene.ours, &second)] {
        swaps.extend(of_layer(account, repository, (&layer, &absent)));
        swaps.extend(of_image(account, repository, (&image, &absent)));
    }
    check_all(&scene, swaps).await;
}

#[tokio::test]
async fn batches_tell_of_others_layers_and_images_what_they_tell_of_none() {
    let scene = scene().await;
    let ours = scene.repository(Opened::Closed).await;
    let absent = digest_of(b"what nobody pushed");
    let ask = async |operation, member: &str, ids: Value| {
        let input = json!({ "repositoryName": HOME, member: ids });
        scene.theirs.ecr(operation, &input).await.text()
    };
    let (layer, image) = (ours.layer_digest(), ours.image_digest());
    for (operation, member, id, item) in [
        (
            "BatchCheckLayerAvailability",
            "layerDigests",
            &layer,
            |id: &str| json!([id]),
        ),
        (
            "BatchGetImage",
            "imageIds",
            &image,
            |id: &str| json!([{ "imageDigest": id }]),
        ),
        (
            "BatchDeleteImage",
            "imageIds",
            &image,
            |id: &str| json!([{ "imageDigest": id }]),
        ),
    ] as [(&str, &str, &String, fn(&str) -> Value); 3]
    {
        let real = ask(operation, member, item(id)).await;
        let made_up = ask(operation, member, item(&absent)).await;
        assert_eq!(real, made_up.replace(&absent, id), "{operation}");
        assert!(
            !real.contains("\"AVAILABLE\"") && !real.contains("imageManifest\""),
            "{real}"
        );
    }
}

#[tokio::test]
async fn a_mount_of_what_one_may_not_read_is_an_upload_as_any_other() {
    let scene = scene().await;
    let ours = scene.repository(Opened::Closed).await;
    let (layer, absent) = (ours.layer_digest(), digest_of(b"what nobody pushed"));
    let from = [
        format!("&from={}", ours.name),
        "&from=absent".to_owned(),
        String::new(),
    ];
    for from in from {
        for digest in [&layer, &absent] {
            // The source is looked for in the registry of the host, so that is tried at home and at ours.
            let path = format!("{HOME}/blobs/uploads/?mount={digest}{from}");
            let answer = v2(&scene.theirs, "POST", &path).send().await.expect(202);
            assert!(answer.header("location").unwrap().contains("/uploads/"));
        }
    }
    // And with a repository of that registry which the caller may push to, from one that they may not read.
    let open = scene.empty_repository(Opened::ToStrangers).await;
    let password = scene.theirs.admin.password().await;
    for digest in [&layer, &absent] {
        let path = format!("{open}/blobs/uploads/?mount={digest}&from={}", ours.name);
        let mount = super::v2_by_stranger(&scene, &password, "POST", &path);
        mount.send().await.expect(202);
    }
}

#[tokio::test]
async fn a_layer_url_is_for_its_layer() {
    let scene = scene().await;
    let ours = scene.repository(Opened::Closed).await;
    let other = scene.repository(Opened::Closed).await;
    let ask = json!({ "repositoryName": ours.name, "layerDigest": ours.layer_digest() });
    let answer = scene.ours.ecr("GetDownloadUrlForLayer", &ask).await;
    let url = answer.json()["downloadUrl"].as_str().unwrap().to_owned();
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    let get = async |target: String| scene.ours.admin.request("GET", &target).send().await.status;
    assert_eq!(get(format!("/{path}")).await, 200);
    let swapped = path.replace(&ours.layer_digest(), &other.layer_digest());
    let swapped = swapped.replace(
        &ours.layer_digest().replace(':', "%3A"),
        &other.layer_digest(),
    );
    assert_ne!(swapped, path);
    assert_eq!(get(format!("/{swapped}")).await, 403);
    assert_eq!(get(format!("/{}", &path[..path.len() - 1])).await, 403);
    assert_eq!(get(format!("/layers/{}", ours.layer_digest())).await, 403);
    // A password is no grant, and a grant no password.
    let password = scene.ours.admin.password().await;
    assert_eq!(
        get(format!("/layers/{}?grant={password}", ours.layer_digest())).await,
        403
    );
    let grant = path.split_once("grant=").unwrap().1;
    let ping = scene.ours.admin.request("GET", "/v2/").bearer(grant);
    ping.send().await.expect(401);
}
