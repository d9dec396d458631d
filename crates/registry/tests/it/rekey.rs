//! Keys are exchanged while servers run.

use longshore_registry::op::image::BatchGetImage;
use serde_json::json;

use crate::harness::TestCore;

mod domains;
mod master;

/// The manifest that the tag `v1` names.
async fn manifest_of(t: &TestCore, repository: &str) -> String {
    let input = json!({"repositoryName": repository, "imageIds": [{"imageTag": "v1"}]});
    let found = t.ok::<BatchGetImage>(input).await;
    found["images"][0]["imageManifest"]
        .as_str()
        .unwrap()
        .to_owned()
}
