//! Public registries: what their API tells, and who pulls from them and pushes to them.

mod api;
mod catalog;
mod hosts;
mod passwords;
mod push;

use serde_json::json;

use crate::harness::{Account, Answer, Image, Request, Signer, TestServer, basic, digest_of};

/// The registry's own host, and the way to it on the host of the server.
const HOST: &str = "public.ecr.aws";

/// A server with a public repository of the first account.
struct Scene {
    server: TestServer,
    ours: Account,
    /// The alias of our registry.
    alias: String,
    password: String,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut longshore::config::Config)) -> Self {
        let server = TestServer::with(change).await;
        let ours = Account::new("000000000000", Signer::root(&server)).await;
        let create = json!({ "repositoryName": "team/app" });
        let created = ours.public("CreateRepository", &create).await;
        let uri = created.json()["repository"]["repositoryUri"].clone();
        let alias = uri.as_str().unwrap().split('/').nth(2).unwrap().to_owned();
        Self {
            password: ours.admin.public_password().await,
            server,
            ours,
            alias,
        }
    }

    /// A request for something of our repository, by nobody.
    fn nobody(&self, method: &str, rest: &str) -> Request {
        let path = format!("/v2/public/{}/team/app/{rest}", self.alias);
        self.server.request(method, &path)
    }

    /// The same by whom the public password is of.
    fn owner(&self, method: &str, rest: &str) -> Request {
        let request = self.nobody(method, rest);
        request.header("Authorization", basic("AWS", &self.password))
    }

    /// Pushes an image under the tag `v1`.
    async fn image(&self) -> Image {
        let image = Image::new("public", 2);
        for blob in image.blobs() {
            let path = format!("blobs/uploads/?digest={}", digest_of(blob));
            self.owner("POST", &path)
                .body(blob)
                .send()
                .await
                .expect(201);
        }
        self.put(&image, "v1").await.expect(201);
        image
    }

    async fn put(&self, image: &Image, tag: &str) -> Answer {
        let put = self.owner("PUT", &format!("manifests/{tag}"));
        let put = put.header("Content-Type", Image::MEDIA_TYPE);
        put.body(image.manifest()).send().await
    }
}
