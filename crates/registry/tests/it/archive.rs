//! The archive storage class (`behaviour.md` section 20).

mod moves;
mod state;
mod visibility;

use longshore_registry::{
    Error,
    op::image::{DescribeImages, UpdateImageStorageClass},
};
use serde_json::{Value, json};

use crate::harness::TestCore;

/// Asks for a storage class of an image of `app`.
pub(crate) async fn update(t: &TestCore, id: Value, class: &str) -> Result<Value, Error> {
    let input = json!({"repositoryName": "app", "imageId": id, "targetStorageClass": class});
    t.call::<UpdateImageStorageClass>(input).await
}

/// Archives the image of `app` with that digest.
pub(crate) async fn archive(t: &TestCore, digest: &str) {
    let id = json!({"imageDigest": digest});
    update(t, id, "ARCHIVE").await.unwrap();
}

/// Begins to restore it.
pub(crate) async fn restore(t: &TestCore, digest: &str) {
    let id = json!({"imageDigest": digest});
    update(t, id, "STANDARD").await.unwrap();
}

/// What `DescribeImages` tells about it, whatever its status.
pub(crate) async fn detail(t: &TestCore, digest: &str) -> Value {
    let input = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}], "filter": {"imageStatus": "ANY"}});
    t.ok::<DescribeImages>(input).await["imageDetails"][0].take()
}

/// Its status.
pub(crate) async fn status(t: &TestCore, digest: &str) -> String {
    detail(t, digest).await["imageStatus"]
        .as_str()
        .unwrap()
        .to_owned()
}
