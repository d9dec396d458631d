use longshore_registry::iam::oidc_provider::{
    AddClientIDToOpenIDConnectProvider, CreateOpenIDConnectProvider, DeleteOpenIDConnectProvider,
    GetOpenIDConnectProvider, ListOpenIDConnectProviderTags, ListOpenIDConnectProviders,
    RemoveClientIDFromOpenIDConnectProvider, TagOpenIDConnectProvider, UntagOpenIDConnectProvider,
    UpdateOpenIDConnectProviderThumbprint,
};
use serde_json::{Value, json};

use super::{arn, code, fault};
use crate::harness::{OTHER, TestCore};

const URL: &str = "https://token.actions.githubusercontent.com";

fn of(more: &Value) -> Value {
    let mut input = json!({
        "OpenIDConnectProviderArn": arn("oidc-provider/token.actions.githubusercontent.com"),
    });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_provider_is_told_as_it_was_made_and_changed() {
    let t = TestCore::start().await;
    let thumbprint = "a".repeat(40);
    let input = json!({
        "Url": URL,
        "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": [thumbprint],
        "Tags": [{"Key": "a", "Value": "1"}],
    });
    let made = t.ok::<CreateOpenIDConnectProvider>(input.clone()).await;
    let own = of(&json!({}));
    assert_eq!(
        made["OpenIDConnectProviderArn"],
        own["OpenIDConnectProviderArn"]
    );
    assert_eq!(
        fault::<CreateOpenIDConnectProvider>(&t, input).await,
        (
            "EntityAlreadyExists",
            format!("Provider with url {URL} already exists.")
        )
    );
    let add = of(&json!({"ClientID": "other"}));
    for _ in 0..2 {
        t.ok::<AddClientIDToOpenIDConnectProvider>(add.clone())
            .await;
    }
    let remove = of(&json!({"ClientID": "sts.amazonaws.com"}));
    for _ in 0..2 {
        t.ok::<RemoveClientIDFromOpenIDConnectProvider>(remove.clone())
            .await;
    }
    let thumbprints = of(&json!({"ThumbprintList": ["B".repeat(40)]}));
    t.ok::<UpdateOpenIDConnectProviderThumbprint>(thumbprints)
        .await;
    t.ok::<TagOpenIDConnectProvider>(of(&json!({"Tags": [{"Key": "b", "Value": "2"}]})))
        .await;
    t.ok::<UntagOpenIDConnectProvider>(of(&json!({"TagKeys": ["a"]})))
        .await;
    let mut got = t.ok::<GetOpenIDConnectProvider>(own.clone()).await;
    got["CreateDate"].take();
    assert_eq!(
        got,
        json!({
            "Url": "token.actions.githubusercontent.com",
            "ClientIDList": ["other"],
            "ThumbprintList": ["B".repeat(40)],
            "CreateDate": null,
            "Tags": [{"Key": "b", "Value": "2"}],
        })
    );
    let tags = t.ok::<ListOpenIDConnectProviderTags>(own.clone()).await;
    assert_eq!(tags["Tags"], got["Tags"]);
    let second = json!({"Url": "https://gitlab.example.com:8443/group"});
    t.ok::<CreateOpenIDConnectProvider>(second).await;
    let list = t.ok::<ListOpenIDConnectProviders>(json!({})).await;
    assert_eq!(
        list["OpenIDConnectProviderList"],
        json!([
            {"Arn": arn("oidc-provider/gitlab.example.com:8443/group")},
            {"Arn": own["OpenIDConnectProviderArn"]},
        ])
    );
    t.ok::<DeleteOpenIDConnectProvider>(own.clone()).await;
    let text = format!(
        "OpenIDConnect Provider not found for arn {}",
        own["OpenIDConnectProviderArn"].as_str().unwrap()
    );
    for refused in [
        fault::<GetOpenIDConnectProvider>(&t, own.clone()).await,
        fault::<DeleteOpenIDConnectProvider>(&t, own.clone()).await,
        fault::<AddClientIDToOpenIDConnectProvider>(&t, add).await,
    ] {
        assert_eq!(refused, ("NoSuchEntity", text.clone()));
    }
}

#[tokio::test]
async fn bad_inputs_are_refused() {
    let t = TestCore::start().await;
    for (member, value, expected) in [
        ("Url", json!("http://example.com"), "ValidationError"),
        ("Url", json!("https://"), "ValidationError"),
        ("Url", json!("https://example.com/?a"), "ValidationError"),
        ("Url", json!("https://example.com/a b"), "ValidationError"),
        (
            "Url",
            json!(format!("https://{}", "a".repeat(250))),
            "ValidationError",
        ),
        ("ClientIDList", json!(["a".repeat(256)]), "ValidationError"),
        ("ClientIDList", json!(vec!["a"; 101]), "LimitExceeded"),
        ("ThumbprintList", json!(["a"]), "ValidationError"),
        ("ThumbprintList", json!(["g".repeat(40)]), "InvalidInput"),
        (
            "ThumbprintList",
            json!(vec!["a".repeat(40); 6]),
            "InvalidInput",
        ),
    ] {
        let mut input = json!({"Url": URL});
        input[member] = value.clone();
        let refused = code::<CreateOpenIDConnectProvider>(&t, input).await;
        assert_eq!(refused, expected, "{member} {value}");
    }
    let garbled = json!({"OpenIDConnectProviderArn": "not an arn but long enough"});
    assert_eq!(
        code::<GetOpenIDConnectProvider>(&t, garbled).await,
        "InvalidInput"
    );
    let foreign = format!("arn:aws:iam::{OTHER}:oidc-provider/example.com");
    let foreign = json!({"OpenIDConnectProviderArn": foreign});
    let refused = t.refused::<GetOpenIDConnectProvider>(foreign).await;
    assert_eq!(refused.0, "AccessDenied");
    t.ok::<CreateOpenIDConnectProvider>(json!({"Url": URL}))
        .await;
    for idx in 0..100 {
        let add = of(&json!({"ClientID": format!("c{idx}")}));
        t.ok::<AddClientIDToOpenIDConnectProvider>(add).await;
    }
    let add = of(&json!({"ClientID": "one more"}));
    assert_eq!(
        code::<AddClientIDToOpenIDConnectProvider>(&t, add).await,
        "LimitExceeded"
    );
}
