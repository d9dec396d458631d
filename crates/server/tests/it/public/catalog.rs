//! What public repositories tell about themselves.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::Scene;

/// A file that begins and ends as PNG files do.
fn png(side: u32, filling: u8) -> Vec<u8> {
    let side = side.to_be_bytes();
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let tail = b"\0\0\0\0IEND\xaeB`\x82";
    [head.as_slice(), &side, &side, &[filling; 100], tail].concat()
}

#[tokio::test]
async fn a_logo_is_seen_by_anybody_while_it_is_the_repositorys() {
    let scene = Scene::start().await;
    let put = async |logo: &[u8]| {
        let data = json!({ "logoImageBlob": STANDARD.encode(logo) });
        let input = json!({ "repositoryName": "team/app", "catalogData": data });
        let answer = scene
            .ours
            .public("PutRepositoryCatalogData", &input)
            .await
            .json();
        let url = answer["catalogData"]["logoUrl"].as_str().map(str::to_owned);
        url.map(|url| url.split_once("/logos/").unwrap().1.to_owned())
    };
    let see = async |name: &str| scene.server.get(&format!("/logos/{name}")).await;
    let first = put(&png(60, 1)).await.unwrap();
    let seen = see(&first).await.expect(200);
    assert_eq!(seen.body, png(60, 1));
    assert_eq!(seen.header("content-type"), Some("image/png"));
    assert_eq!(seen.header("x-content-type-options"), Some("nosniff"));
    let second = put(&png(2048, 2)).await.unwrap();
    see(&first).await.expect(404);
    see(&second).await.expect(200);
    let input = json!({ "repositoryName": "team/app", "catalogData": { "description": "kept" } });
    let told = scene
        .ours
        .public("PutRepositoryCatalogData", &input)
        .await
        .json();
    assert!(
        told["catalogData"]["logoUrl"]
            .as_str()
            .unwrap()
            .ends_with(&second)
    );
    let third = put(&png(100, 3)).await.unwrap();
    assert_eq!(put(b"").await, None);
    see(&third).await.expect(404);
    let last = put(&png(100, 4)).await.unwrap();
    scene
        .ours
        .public("DeleteRepository", &json!({ "repositoryName": "team/app" }))
        .await;
    see(&last).await.expect(404);
}
