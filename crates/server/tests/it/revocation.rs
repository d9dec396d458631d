//! What was allowed is refused on the very next request, by every way to the same thing: signed calls, the registry
//! password, the token that is made from it, layer URLs.

mod credentials;
mod policies;
mod resources;
mod tokens;

use serde_json::{Value, json};

use crate::harness::{Account, Image, Signer, TestServer, basic, digest_of};

/// The first account, with a repository `app` that has an image.
struct Scene {
    ours: Account,
    layer: String,
    _server: TestServer,
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ours = Account::new("000000000000", Signer::root(&server)).await;
        let layer = fill(&ours).await;
        Self {
            ours,
            layer,
            _server: server,
        }
    }

    /// Everything that stands for somebody who may pull.
    async fn witness(&self, signer: &Signer) -> Witness {
        let ask = json!({ "registryId": self.ours.id, "repositoryName": "app", "layerDigest": self.layer });
        let url = signer
            .done("ecr", "GetDownloadUrlForLayer", &ask)
            .await
            .json();
        let (_, url) = url["downloadUrl"]
            .as_str()
            .unwrap()
            .split_once("/layers/")
            .unwrap();
        let password = signer.password().await;
        let login = signer
            .request("GET", "/token/")
            .header("Authorization", basic("AWS", &password));
        let token = login.send().await.expect(200).json();
        Witness {
            signer: signer.clone(),
            host: self.ours.host(),
            registry: self.ours.id.clone(),
            password,
            token: token["token"].as_str().unwrap().to_owned(),
            url: format!("/layers/{url}"),
        }
    }
}

/// Makes the repository `app` with an image; returns the digest of its layer.
async fn fill(account: &Account) -> String {
    account
        .ecr("CreateRepository", &json!({ "repositoryName": "app" }))
        .await;
    let image = Image::new("app", 1);
    for blob in image.blobs() {
        let path = format!("app/blobs/uploads/?digest={}", digest_of(blob));
        account
            .v2("POST", &path)
            .body(blob)
            .send()
            .await
            .expect(201);
    }
    let put = account
        .v2("PUT", "app/manifests/v1")
        .header("Content-Type", Image::MEDIA_TYPE);
    put.body(image.manifest()).send().await.expect(201);
    digest_of(image.blobs().last().unwrap())
}

/// Somebody with all that was ever handed out to them.
struct Witness {
    signer: Signer,
    host: String,
    registry: String,
    password: String,
    token: String,
    url: String,
}

/// The statuses of a signed call, a pull by password, one by token, and of a layer URL.
type Statuses = [u16; 4];
const ALLOWED: Statuses = [200, 200, 200, 200];
/// They are who they are, but may not.
const DENIED: Statuses = [400, 403, 403, 403];
/// There is no such principal any more.
const GONE: Statuses = [403, 401, 401, 403];

impl Witness {
    async fn statuses(&self) -> Statuses {
        let images = json!({ "registryId": self.registry, "repositoryName": "app", "imageIds": [{ "imageTag": "v1" }] });
        let pull = || {
            self.signer
                .request("GET", "/v2/app/manifests/v1")
                .host(&self.host)
        };
        [
            self.signer
                .call("ecr", "BatchGetImage", &images)
                .await
                .status,
            pull()
                .header("Authorization", basic("AWS", &self.password))
                .send()
                .await
                .status,
            pull().bearer(&self.token).send().await.status,
            self.signer.request("GET", &self.url).send().await.status,
        ]
    }

    /// Fails unless all of it is allowed before a change, and comes to `then` right after.
    async fn sees(
        &self,
        operation: &str,
        input: &Value,
        by: &Account,
        service: &'static str,
        then: Statuses,
    ) {
        assert_eq!(self.statuses().await, ALLOWED, "before {operation}");
        by.admin.done(service, operation, input).await;
        assert_eq!(self.statuses().await, then, "after {operation}");
    }
}

/// A policy that allows pulls.
fn pulls() -> String {
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*","Action":["ecr:GetAuthorizationToken",
        "ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}}"#
        .to_owned()
}

/// A policy that denies pulls.
fn no_pulls() -> String {
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Resource":"*","Action":["ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer"]}}"#
        .to_owned()
}
