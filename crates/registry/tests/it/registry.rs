use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use longshore_registry::{
    Error,
    op::{
        layer::GetDownloadUrlForLayer,
        registry::{DescribeRegistry, GetAuthorizationToken},
    },
    principal::Caller,
    token::{Holder, Purpose, RegistryToken},
};
use longshore_types::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of};

fn token_of(t: &TestCore, data: &Value) -> RegistryToken {
    let text = data["authorizationToken"].as_str().unwrap();
    let text = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
    let password = text.strip_prefix("AWS:").unwrap();
    assert!(!password.contains(':'));
    t.core.tokens.open(Purpose::Registry, password).unwrap()
}

#[tokio::test]
async fn a_token_stands_for_the_caller_for_twelve_hours() {
    let t = TestCore::start().await;
    let output = t.ok::<GetAuthorizationToken>(json!({})).await;
    let data = &output["authorizationData"];
    assert_eq!(data.as_array().unwrap().len(), 1);
    assert_eq!(data[0]["proxyEndpoint"], "http://localhost:5050");
    assert_eq!(data[0]["expiresAt"], json!(1_700_043_200.123));
    let token = token_of(&t, &data[0]);
    assert_eq!(token.holder, Some(Holder::Principal(ACCOUNT.to_owned())));
    assert_eq!(token.account.as_str(), ACCOUNT);
    assert_eq!(token.region.as_str(), "eu-central-1");
    let issued = Timestamp::from_millis(token.issued_at);
    assert!(!token.is_expired(issued.plus(Duration::from_secs(43_199))));
    assert!(token.is_expired(issued.plus(Duration::from_hours(12))));
}

#[tokio::test]
async fn each_registry_asked_for_has_its_token_and_ecr_shaped_endpoint() {
    let t = TestCore::start().await;
    let output = t
        .ok::<GetAuthorizationToken>(json!({"registryIds": [OTHER, ACCOUNT]}))
        .await;
    let data = output["authorizationData"].as_array().unwrap().clone();
    let endpoint = |account| format!("https://{account}.dkr.ecr.eu-central-1.amazonaws.com:5050");
    assert_eq!(data[0]["proxyEndpoint"], endpoint(OTHER));
    assert_eq!(data[1]["proxyEndpoint"], endpoint(ACCOUNT));
    assert_eq!(token_of(&t, &data[0]).account.as_str(), OTHER);
    let holder = Holder::Principal(ACCOUNT.to_owned());
    assert_eq!(token_of(&t, &data[0]).holder, Some(holder));
}

#[tokio::test]
async fn registry_ids_are_one_to_ten_accounts() {
    let t = TestCore::start().await;
    for ids in [
        json!([]),
        json!(vec![ACCOUNT; 11]),
        json!(["12"]),
        json!([null]),
    ] {
        let (name, text) = t
            .refused::<GetAuthorizationToken>(json!({"registryIds": ids}))
            .await;
        assert_eq!(name, "InvalidParameter");
        assert!(
            text.starts_with("Invalid parameter at 'registryIds'"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn nobody_gets_no_token() {
    let t = TestCore::start().await;
    let operation: GetAuthorizationToken = serde_json::from_value(json!({})).unwrap();
    let refused = t.run_as(Caller::Anonymous, operation).await;
    assert!(matches!(refused, Err(Error::AuthenticationRequired)));
}

#[tokio::test]
async fn a_registry_without_replication_has_no_rules() {
    let t = TestCore::start().await;
    assert_eq!(
        t.ok::<DescribeRegistry>(json!({})).await,
        json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}})
    );
}

#[tokio::test]
async fn what_lets_somebody_in_is_not_printed() {
    let t = TestCore::start().await;
    let output = t.run(GetAuthorizationToken::default()).await.unwrap();
    let data = serde_json::to_value(&output).unwrap();
    let token = data["authorizationData"][0]["authorizationToken"].as_str();
    let printed = format!("{output:?} {:?}", t.core);
    assert!(
        printed.contains("proxy_endpoint") && !printed.contains(token.unwrap()),
        "{printed}"
    );
    t.repository("app").await;
    t.image("app", "one", None).await;
    let layer =
        json!({"repositoryName": "app", "layerDigest": digest_of(b"layer of one").to_string()});
    let operation: GetDownloadUrlForLayer = serde_json::from_value(layer).unwrap();
    let output = t.run(operation).await.unwrap();
    let printed = format!("{output:?}");
    assert!(
        printed.contains("layer_digest") && !printed.contains("grant"),
        "{printed}"
    );
}
