//! A server with a repository, an image, layers and uploads, and calls whose every answer is held against the model.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    answers,
    api::{self, sha256},
    http::Connection,
    model::MODEL,
    server::Server,
};

/// A running server and what is in it.
pub(crate) struct Scene {
    address: SocketAddr,
    made: AtomicUsize,
    _server: Server,
    _directory: tempfile::TempDir,
}

/// An answer, with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The error's name; empty for a success.
    pub(crate) fn code(&self) -> &str {
        self.body["__type"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Whether a batch operation refused an item.
    pub(crate) fn has_failures(&self) -> bool {
        self.body["failures"]
            .as_array()
            .is_some_and(|failures| !failures.is_empty())
    }
}

/// A repository that is always there.
pub(crate) const EXAMPLE: &str = "contract/example";
/// What the layer of the image is.
const LAYER: &[u8] = b"a layer that the image is made of";

impl Scene {
    pub(crate) fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let mut server = Server::spawn_with(&data, []);
        let address = server.until_ready(&data);
        let scene = Self {
            address,
            made: AtomicUsize::new(0),
            _server: server,
            _directory: directory,
        };
        scene.done("CreateRepository", &json!({"repositoryName": EXAMPLE}));
        scene
    }

    /// A connection to the server.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// Sends a call and reads its answer, whatever it is.
    pub(crate) fn send(&self, operation: &str, input: &Value) -> Answer {
        self.send_text(operation, &input.to_string())
    }

    pub(crate) fn send_text(&self, operation: &str, body: &str) -> Answer {
        let answer = api::call(self.address, operation, body).unwrap();
        let kind = answer.header("content-type");
        assert_eq!(
            kind,
            Some("application/x-amz-json-1.1"),
            "{operation}: {answer:?}"
        );
        let request = answer.header("x-amzn-requestid");
        assert!(
            request.is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()),
            "{operation}"
        );
        let body = serde_json::from_slice(&answer.body);
        Answer {
            status: answer.status,
            body: body.unwrap_or_else(|_| panic!("{operation}: {}", answer.text())),
        }
    }

    /// Calls a built operation; its answer must be one that the model allows.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Answer {
        let answer = self.send(operation, input);
        answers::assert_allowed(&MODEL, operation, &answer);
        answer
    }

    /// Calls an operation that must succeed.
    pub(crate) fn done(&self, operation: &str, input: &Value) -> Value {
        let answer = self.call(operation, input);
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.body
    }

    /// A name that nothing has yet.
    pub(crate) fn fresh_name(&self) -> String {
        format!("contract/{}", self.fresh_word())
    }

    /// A word that nothing is called by yet.
    pub(crate) fn fresh_word(&self) -> String {
        format!("fresh-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// A new repository.
    pub(crate) fn repository(&self) -> String {
        let name = self.fresh_name();
        self.done("CreateRepository", &json!({"repositoryName": name}));
        name
    }

    pub(crate) fn arn(name: &str) -> String {
        format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}")
    }

    /// An upload that has one part.
    pub(crate) fn upload(&self, repository: &str, bytes: &[u8]) -> String {
        let begun = self.done(
            "InitiateLayerUpload",
            &json!({"repositoryName": repository}),
        );
        let upload = begun["uploadId"].as_str().unwrap().to_owned();
        let part = json!({
            "repositoryName": repository,
            "uploadId": upload,
            "partFirstByte": 0,
            "partLastByte": bytes.len() - 1,
            "layerPartBlob": STANDARD.encode(bytes),
        });
        self.done("UploadLayerPart", &part);
        upload
    }

    /// Pushes a layer; returns its digest.
    pub(crate) fn layer(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = format!("sha256:{}", sha256(bytes));
        let upload = self.upload(repository, bytes);
        let complete = json!({
            "repositoryName": repository,
            "uploadId": upload,
            "layerDigests": [digest],
        });
        self.done("CompleteLayerUpload", &complete);
        digest
    }

    /// Pushes an image under the tag `tag`, with one layer; returns its manifest.
    pub(crate) fn image(&self, repository: &str) -> String {
        self.layer(repository, LAYER);
        let manifest = manifest();
        let put = json!({
            "repositoryName": repository,
            "imageManifest": manifest,
            "imageTag": "tag",
        });
        self.done("PutImage", &put);
        manifest
    }
}

pub(crate) fn layer_digest() -> String {
    format!("sha256:{}", sha256(LAYER))
}

/// The manifest of the image of [`Scene::image`].
pub(crate) fn manifest() -> String {
    let layer = json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": layer_digest(),
        "size": LAYER.len(),
    });
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layer,
        "layers": [layer],
    })
    .to_string()
}

pub(crate) fn image_digest() -> String {
    format!("sha256:{}", sha256(manifest().as_bytes()))
}
