//! The operations of ECR Public and the requests for public repositories under `/v2/`, by everybody. The actions are
//! transcribed from `behaviour.md` sections 3.2, 4 and 13.6.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Visit,
    answer::Wire,
    decide_api, everybody,
    exceptions::Found,
    rules::{Need, Opened, decide},
    scene::Scene,
    table::On,
};
use crate::harness::{Account, Call, Image, Request, basic, digest_of};

/// Each with what its action is done to. `Registry` is the caller's own public registry.
pub(super) const OPERATIONS: &[(&str, On)] = &[
    ("BatchCheckLayerAvailability", On::Repository),
    ("BatchDeleteImage", On::Repository),
    ("CompleteLayerUpload", On::Repository),
    ("CreateRepository", On::NewRepository),
    ("DeleteRepository", On::Repository),
    ("DeleteRepositoryPolicy", On::Repository),
    ("DescribeImageTags", On::Repository),
    ("DescribeImages", On::Repository),
    ("DescribeRegistries", On::Registry),
    ("DescribeRepositories", On::Repositories),
    ("GetAuthorizationToken", On::Registry),
    ("GetRegistryCatalogData", On::Registry),
    ("GetRepositoryCatalogData", On::Repository),
    ("GetRepositoryPolicy", On::Repository),
    ("InitiateLayerUpload", On::Repository),
    ("ListTagsForResource", On::Repository),
    ("PutImage", On::Repository),
    ("PutRegistryCatalogData", On::Registry),
    ("PutRepositoryCatalogData", On::Repository),
    ("SetRepositoryPolicy", On::Repository),
    ("TagResource", On::Repository),
    ("UntagResource", On::Repository),
    ("UploadLayerPart", On::Repository),
];

/// Requests under `/v2/`: a name, the method, the actions, and the status of a success. A pull needs none.
const ROUTES: &[(&str, &str, &[&str], u16)] = &[
    ("tags", "GET", &[], 200),
    ("manifest", "GET", &[], 200),
    ("manifest", "HEAD", &[], 200),
    ("manifest", "PUT", &["PutImage"], 201),
    ("manifest", "DELETE", &["BatchDeleteImage"], 202),
    ("blob", "GET", &[], 200),
    ("blob", "HEAD", &[], 200),
    ("unreferenced blob", "DELETE", &["BatchDeleteImage"], 202),
    ("uploads", "POST", &["InitiateLayerUpload"], 202),
    ("mount", "POST", &["InitiateLayerUpload"], 201),
    (
        "monolithic",
        "POST",
        &[
            "InitiateLayerUpload",
            "UploadLayerPart",
            "CompleteLayerUpload",
        ],
        201,
    ),
    ("upload", "GET", &["UploadLayerPart"], 204),
    ("upload", "PATCH", &["UploadLayerPart"], 202),
    ("upload", "PUT", &["CompleteLayerUpload"], 201),
    ("upload", "DELETE", &["UploadLayerPart"], 204),
    ("referrers", "GET", &[], 200),
];

/// A public repository of ours with an image that is tagged `v1`.
struct Repository {
    name: String,
    arn: String,
    image: Image,
    /// `ALIAS/NAME`.
    path: String,
}

async fn repository(scene: &Scene, opened: Opened) -> Repository {
    let ours = &scene.ours;
    let name = scene.fresh();
    let data = json!({ "repositoryName": name, "catalogData": { "description": "walked" } });
    let made = ours.public("CreateRepository", &data).await.json();
    let text = |member: &str| made["repository"][member].as_str().unwrap().to_owned();
    if let Some(policy) = opened.policy(&scene.theirs.id) {
        let set = json!({ "repositoryName": name, "policyText": policy, "force": true });
        ours.public("SetRepositoryPolicy", &set).await;
    }
    let image = Image::new(&name, 1);
    for blob in image.blobs() {
        let upload = upload(scene, &name, blob).await;
        let complete = json!({ "repositoryName": name, "uploadId": upload, "layerDigests": [digest_of(blob)] });
        ours.public("CompleteLayerUpload", &complete).await;
    }
    let manifest = String::from_utf8(image.manifest()).unwrap();
    let put = json!({ "repositoryName": name, "imageManifest": manifest, "imageTag": "v1",
        "imageManifestMediaType": Image::MEDIA_TYPE });
    ours.public("PutImage", &put).await;
    let uri = text("repositoryUri");
    Repository {
        arn: text("repositoryArn"),
        path: uri.split_once("/public/").unwrap().1.to_owned(),
        image,
        name,
    }
}

/// An upload of ours that has `bytes`.
async fn upload(scene: &Scene, repository: &str, bytes: &[u8]) -> String {
    let named = json!({ "repositoryName": repository });
    let begun = scene
        .ours
        .public("InitiateLayerUpload", &named)
        .await
        .json();
    let upload = begun["uploadId"].as_str().unwrap().to_owned();
    if !bytes.is_empty() {
        let mut part = part_of(bytes);
        part["repositoryName"] = json!(repository);
        part["uploadId"] = json!(upload);
        scene.ours.public("UploadLayerPart", &part).await;
    }
    upload
}

fn part_of(bytes: &[u8]) -> Value {
    json!({ "partFirstByte": 0, "partLastByte": bytes.len() - 1, "layerPartBlob": STANDARD.encode(bytes) })
}

/// An input that succeeds for whoever may make the call, and the ARN of what it is about.
async fn ask(
    scene: &Scene,
    operation: &str,
    on: On,
    account: &Account,
    opened: Opened,
) -> (Value, String) {
    let owner = &scene.ours.id;
    match on {
        On::Registry if operation == "GetAuthorizationToken" => (json!({}), "*".to_owned()),
        On::Registry => {
            let id = &account.id;
            (json!({}), format!("arn:aws:ecr-public::{id}:registry/{id}"))
        }
        On::Repositories => {
            let arn = format!("arn:aws:ecr-public::{owner}:repository/*");
            (json!({ "registryId": owner }), arn)
        }
        On::NewRepository => {
            let (id, name) = (&account.id, scene.fresh());
            let arn = format!("arn:aws:ecr-public::{id}:repository/{name}");
            (json!({ "repositoryName": name }), arn)
        }
        On::Repository => in_repository(scene, operation, opened).await,
    }
}

async fn in_repository(scene: &Scene, operation: &str, opened: Opened) -> (Value, String) {
    let repository = repository(scene, opened).await;
    let Repository {
        name, arn, image, ..
    } = repository;
    let bytes = format!("a part for {name}").into_bytes();
    let more = match operation {
        "ListTagsForResource" => return (json!({ "resourceArn": arn }), arn),
        "TagResource" => {
            let tags = json!([{ "Key": "k", "Value": "v" }]);
            return (json!({ "resourceArn": arn, "tags": tags }), arn);
        }
        "UntagResource" => return (json!({ "resourceArn": arn, "tagKeys": ["k"] }), arn),
        "BatchCheckLayerAvailability" => json!({ "layerDigests": [digest_of(&bytes)] }),
        "BatchDeleteImage" => json!({ "imageIds": [{ "imageTag": "v1" }] }),
        "DeleteRepository" => json!({ "force": true }),
        "PutImage" => {
            let manifest = String::from_utf8(image.manifest()).unwrap();
            json!({ "imageManifest": manifest, "imageManifestMediaType": Image::MEDIA_TYPE, "imageTag": "v2" })
        }
        "PutRepositoryCatalogData" => json!({ "catalogData": { "description": "told" } }),
        "SetRepositoryPolicy" => {
            let policy = Opened::ToStrangers.policy(&scene.theirs.id);
            json!({ "policyText": policy, "force": true })
        }
        "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
            if opened == Opened::Closed {
                let nothing = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
                    "Principal": { "AWS": scene.ours.id }, "Action": "ecr-public:Nothing" } });
                let set = json!({ "repositoryName": name, "policyText": nothing.to_string() });
                scene.ours.public("SetRepositoryPolicy", &set).await;
            }
            json!({})
        }
        "UploadLayerPart" => {
            let mut part = part_of(&bytes);
            part["uploadId"] = json!(upload(scene, &name, b"").await);
            part
        }
        "CompleteLayerUpload" => {
            let upload = upload(scene, &name, &bytes).await;
            json!({ "uploadId": upload, "layerDigests": [digest_of(&bytes)] })
        }
        _ => json!({}),
    };
    let mut input = json!({ "registryId": scene.ours.id, "repositoryName": name });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    (input, arn)
}

/// Everybody, and the stranger where strangers may.
fn everybody_at_repositories(scene: &Scene) -> Vec<Visit<'_>> {
    let mut visits = everybody(scene);
    visits.push(Visit {
        person: Some(scene.person("stranger")),
        opened: Opened::ToStrangers,
    });
    visits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_of_ecr_public() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    for (operation, on) in OPERATIONS {
        let refused = ask(&scene, operation, *on, &scene.ours, Opened::Closed).await;
        for visit in everybody_at_repositories(&scene) {
            let is_own = matches!(on, On::Registry | On::NewRepository);
            let needs = |resource: &str| {
                let need = |action: String| Need {
                    action,
                    resource: resource.to_owned(),
                    owner: (!is_own).then(|| scene.ours.id.clone()),
                    is_in_repository: *on == On::Repository,
                    or: None,
                };
                let bearer = *operation == "GetAuthorizationToken";
                let bearer = bearer.then(|| need("sts:GetServiceBearerToken".to_owned()));
                let first = need(format!("ecr-public:{operation}"));
                std::iter::once(first).chain(bearer).collect::<Vec<_>>()
            };
            let decided = |resource: &str| {
                let needs = needs(resource);
                needs.iter().try_for_each(|need| decide_api(visit, need))
            };
            let is_allowed = decided(&refused.1).is_ok();
            let fresh = if is_allowed || is_own || visit.opened != Opened::Closed {
                Some(ask(&scene, operation, *on, visit.home(&scene), visit.opened).await)
            } else {
                None
            };
            let (input, resource) = fresh.as_ref().unwrap_or(&refused);
            let call = Call::new(&scene.ours.admin, "ecr-public", operation, input);
            let answer = visit.send(call).await;
            let expected = match decided(resource) {
                Ok(()) => "200".to_owned(),
                Err(refusal) => Wire::Json.refusal(&refusal),
            };
            let case = format!("ecr-public {operation}");
            let told = Wire::Json.read(&answer);
            found.compare(&case, &visit.label(), &expected, &told);
        }
        scene.ours.public(operation, &refused.0).await;
    }
    found.conclude(&["ecr-public "]);
}

/// A request without credentials.
async fn request(scene: &Scene, name: &str, method: &str, repository: &Repository) -> Request {
    let of = &repository.name;
    let part = format!("a part for {of}").into_bytes();
    let digest = digest_of(&part);
    let (rest, body) = match name {
        "tags" => ("tags/list".to_owned(), Vec::new()),
        "manifest" => ("manifests/v1".to_owned(), repository.image.manifest()),
        "blob" => {
            let layer = digest_of(repository.image.blobs().last().unwrap());
            (format!("blobs/{layer}"), Vec::new())
        }
        "unreferenced blob" => {
            let upload = upload(scene, of, &part).await;
            let complete =
                json!({ "repositoryName": of, "uploadId": upload, "layerDigests": [digest] });
            scene.ours.public("CompleteLayerUpload", &complete).await;
            (format!("blobs/{digest}"), Vec::new())
        }
        "uploads" => ("blobs/uploads/".to_owned(), Vec::new()),
        "mount" => {
            let from = self::repository(scene, Opened::Closed).await;
            let layer = digest_of(from.image.blobs().last().unwrap());
            let from = format!("public/{}", from.path);
            (
                format!("blobs/uploads/?mount={layer}&from={from}"),
                Vec::new(),
            )
        }
        "monolithic" => (format!("blobs/uploads/?digest={digest}"), part),
        "upload" if method == "PUT" => {
            let upload = upload(scene, of, &part).await;
            (
                format!("blobs/uploads/{upload}?digest={digest}"),
                Vec::new(),
            )
        }
        "upload" => (
            format!("blobs/uploads/{}", upload(scene, of, b"").await),
            part,
        ),
        "referrers" => {
            let image = digest_of(&repository.image.manifest());
            (format!("referrers/{image}"), Vec::new())
        }
        other => panic!("no request of {other}"),
    };
    let path = format!("/v2/public/{}/{rest}", repository.path);
    let request = scene.ours.admin.request(method, &path);
    match (method, name) {
        ("PUT", "manifest") => request.header("Content-Type", Image::MEDIA_TYPE).body(body),
        ("PUT" | "POST" | "PATCH", _) => request.body(body),
        _ => request,
    }
}

/// Everybody who could get a password for public registries, with it: it is asked for where it can be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_public_repositories() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    let stranger = scene.person("stranger");
    let powerless = powerless(&scene).await;
    let administrator = scene.ours.admin.public_password().await;
    let strangers = stranger.signer.public_password().await;
    for (name, method, actions, status) in ROUTES {
        let wire = if *method == "HEAD" {
            Wire::V2Head
        } else {
            Wire::V2
        };
        for (who, password, opened) in [
            ("anonymous", None, Opened::Closed),
            ("powerless", Some(&powerless), Opened::Closed),
            ("stranger", Some(&strangers), Opened::Closed),
            (
                "stranger where strangers may",
                Some(&strangers),
                Opened::ToStrangers,
            ),
            (
                "private",
                Some(&scene.person("administrator").password),
                Opened::Closed,
            ),
            ("administrator", Some(&administrator), Opened::Closed),
        ] {
            let repository = repository(&scene, opened).await;
            let request = request(&scene, name, method, &repository).await;
            let answer = match password {
                Some(password) => request.header("Authorization", basic("AWS", password)),
                None => request,
            };
            let answer = answer.send().await;
            let needs = actions.iter().map(|action| Need {
                action: format!("ecr-public:{action}"),
                resource: repository.arn.clone(),
                owner: Some(scene.ours.id.clone()),
                is_in_repository: true,
                or: None,
            });
            let needs: Vec<Need> = needs.collect();
            let decided = match who {
                "administrator" => Ok(()),
                "powerless" => decide(Some(scene.person("nobody")), &needs, opened),
                "anonymous" | "private" => decide(None, &needs, opened),
                _ => decide(Some(stranger), &needs, opened),
            };
            let expected = match decided {
                Ok(()) => status.to_string(),
                Err(refusal) => wire.refusal(&refusal),
            };
            let case = format!("public v2 {method} {name}");
            found.compare(&case, who, &expected, &wire.read(&answer));
        }
    }
    found.conclude(&["public v2 "]);
}

/// The public password of the user `nobody`, from when they had every right.
async fn powerless(scene: &Scene) -> String {
    const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    scene.ours.attach("nobody", ADMINISTRATOR).await;
    let password = scene.person("nobody").signer.public_password().await;
    scene.ours.detach("nobody", ADMINISTRATOR).await;
    password
}
