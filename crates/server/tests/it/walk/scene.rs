//! A server of two tenants: ours has what is asked for, the other has somebody who may do anything at home.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{
    people::{self, Person},
    rules::Opened,
};
use crate::harness::{Account, Image, Signer, TestServer, digest_of};

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) ours: Account,
    pub(super) theirs: Account,
    pub(super) people: Vec<Person>,
    made: AtomicUsize,
    _server: TestServer,
}

/// A repository with an image that is tagged `v1`.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) name: String,
    pub(super) image: Image,
}

impl Repository {
    pub(super) fn image_digest(&self) -> String {
        digest_of(&self.image.manifest())
    }

    pub(super) fn layer_digest(&self) -> String {
        digest_of(self.image.blobs().last().unwrap())
    }
}

impl Scene {
    /// The two accounts, with nobody in them yet.
    pub(super) async fn empty() -> Self {
        let server = TestServer::start().await;
        let ours = Account::new("000000000000", Signer::root(&server)).await;
        let theirs = ours.another("theirs").await;
        Self {
            ours,
            theirs,
            people: Vec::new(),
            made: AtomicUsize::new(0),
            _server: server,
        }
    }

    /// The two accounts with everybody who walks.
    pub(super) async fn peopled() -> Self {
        let mut scene = Self::empty().await;
        scene.people = people::all(&scene.ours, &scene.theirs).await;
        scene
    }

    pub(super) fn person(&self, name: &str) -> &Person {
        self.people
            .iter()
            .find(|person| person.name == name)
            .unwrap()
    }

    /// A name that nothing has yet.
    pub(super) fn fresh(&self) -> String {
        format!("walk{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// An empty repository of ours.
    pub(super) async fn empty_repository(&self, opened: Opened) -> String {
        let name = self.fresh();
        let create = json!({ "repositoryName": name });
        self.ours.ecr("CreateRepository", &create).await;
        if let Some(policy) = opened.policy(&self.theirs.id) {
            let set = json!({ "repositoryName": name, "policyText": policy, "force": true });
            self.ours.ecr("SetRepositoryPolicy", &set).await;
        }
        name
    }

    /// A repository of ours with an image.
    pub(super) async fn repository(&self, opened: Opened) -> Repository {
        let name = self.empty_repository(opened).await;
        let image = Image::new(&name, 1);
        for blob in image.blobs() {
            self.push_blob(&name, blob).await;
        }
        let put = self.ours.v2("PUT", &format!("{name}/manifests/v1"));
        let put = put
            .header("Content-Type", Image::MEDIA_TYPE)
            .body(image.manifest());
        put.send().await.expect(201);
        Repository { name, image }
    }

    pub(super) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let path = format!("{repository}/blobs/uploads/?digest={digest}");
        self.ours
            .v2("POST", &path)
            .body(bytes)
            .send()
            .await
            .expect(201);
        digest
    }

    /// An upload of ours that has `bytes`.
    pub(super) async fn upload(&self, repository: &str, bytes: &[u8]) -> String {
        let begun = self
            .ours
            .v2("POST", &format!("{repository}/blobs/uploads/"))
            .send()
            .await;
        let id = begun
            .expect(202)
            .header("docker-upload-uuid")
            .unwrap()
            .to_owned();
        if !bytes.is_empty() {
            let path = format!("{repository}/blobs/uploads/{id}");
            self.ours
                .v2("PATCH", &path)
                .body(bytes)
                .send()
                .await
                .expect(202);
        }
        id
    }
}
