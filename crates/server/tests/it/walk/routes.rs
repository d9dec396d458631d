//! A request of each kind under `/v2/` that succeeds for whoever may make it.

use super::{
    rules::{Need, Opened},
    scene::Scene,
    table::{On, RouteNeed},
};
use crate::harness::{Image, Request, digest_of};

/// A request without credentials, and the repository that it is about.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) repository: String,
}

/// Makes what a request of that name needs, in a repository of ours.
pub(super) async fn ask(scene: &Scene, name: &str, method: &str, opened: Opened) -> Asked {
    let repository = scene.repository(opened).await;
    let of = &repository.name;
    let part = format!("a part for {of}").into_bytes();
    let digest = digest_of(&part);
    let (path, body) = match name {
        "catalog" => ("_catalog".to_owned(), Vec::new()),
        "tags" => (format!("{of}/tags/list"), Vec::new()),
        "manifest by tag" => (format!("{of}/manifests/v1"), repository.image.manifest()),
        "manifest by digest" => {
            let digest = repository.image_digest();
            (
                format!("{of}/manifests/{digest}"),
                repository.image.manifest(),
            )
        }
        "blob" => (
            format!("{of}/blobs/{}", repository.layer_digest()),
            Vec::new(),
        ),
        "unreferenced blob" => {
            let digest = scene.push_blob(of, &part).await;
            (format!("{of}/blobs/{digest}"), Vec::new())
        }
        "uploads" => (format!("{of}/blobs/uploads/"), Vec::new()),
        "mount" => {
            let from = scene.repository(opened).await;
            let digest = from.layer_digest();
            let from = from.name;
            (
                format!("{of}/blobs/uploads/?mount={digest}&from={from}"),
                Vec::new(),
            )
        }
        "monolithic" => (format!("{of}/blobs/uploads/?digest={digest}"), part),
        "upload" if method == "PUT" => {
            let upload = scene.upload(of, &part).await;
            (
                format!("{of}/blobs/uploads/{upload}?digest={digest}"),
                Vec::new(),
            )
        }
        "upload with the last part" => {
            let upload = scene.upload(of, b"").await;
            (format!("{of}/blobs/uploads/{upload}?digest={digest}"), part)
        }
        "upload" => {
            let upload = scene.upload(of, b"").await;
            (format!("{of}/blobs/uploads/{upload}"), part)
        }
        "referrers" => (
            format!("{of}/referrers/{}", repository.image_digest()),
            Vec::new(),
        ),
        other => panic!("no request of {other}"),
    };
    let request = scene.ours.admin.request(method, &format!("/v2/{path}"));
    let request = request.host(&scene.ours.host());
    let request = match (method, name) {
        ("PUT", "manifest by tag" | "manifest by digest") => {
            request.header("Content-Type", Image::MEDIA_TYPE).body(body)
        }
        ("PUT" | "POST" | "PATCH", _) => request.body(body),
        _ => request,
    };
    Asked {
        request,
        repository: repository.name,
    }
}

/// What a request about a repository of ours needs.
pub(super) fn need(scene: &Scene, repository: &str, need: &RouteNeed) -> Need {
    let (action, or, on) = *need;
    let name = if on == On::Repositories {
        "*"
    } else {
        repository
    };
    Need {
        action: action.to_owned(),
        resource: scene.ours.repository_arn(name),
        owner: Some(scene.ours.id.clone()),
        is_in_repository: on == On::Repository,
        or,
    }
}
