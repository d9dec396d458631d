//! OpenID Connect providers.

use serde_json::{Value, json};

use crate::{query::call::done, scene::Scene};

const THUMBPRINT: &str = "0123456789012345678901234567890123456789";

fn fresh(scene: &Scene) -> Value {
    let url = format!("https://{}.example.com", scene.fresh_word());
    json!({"Url": url, "ThumbprintList": [THUMBPRINT]})
}

/// A new provider; returns its ARN.
fn provider(scene: &Scene) -> Value {
    let made = done(scene, "CreateOpenIDConnectProvider", &fresh(scene));
    made["OpenIDConnectProviderArn"].clone()
}

pub(super) fn minimal(scene: &Scene, operation: &str) -> Option<Value> {
    let on = |members: Value| {
        let mut input = members;
        input["OpenIDConnectProviderArn"] = provider(scene);
        input
    };
    Some(match operation {
        "CreateOpenIDConnectProvider" => fresh(scene),
        "ListOpenIDConnectProviders" => json!({}),
        "GetOpenIDConnectProvider"
        | "DeleteOpenIDConnectProvider"
        | "ListOpenIDConnectProviderTags" => on(json!({})),
        "AddClientIDToOpenIDConnectProvider" => on(json!({"ClientID": "client"})),
        "RemoveClientIDFromOpenIDConnectProvider" => {
            let input = on(json!({"ClientID": "client"}));
            done(scene, "AddClientIDToOpenIDConnectProvider", &input);
            input
        }
        "UpdateOpenIDConnectProviderThumbprint" => on(json!({"ThumbprintList": [THUMBPRINT]})),
        "TagOpenIDConnectProvider" => on(json!({"Tags": [{"Key": "k", "Value": "v"}]})),
        "UntagOpenIDConnectProvider" => on(json!({"TagKeys": ["k"]})),
        _ => return None,
    })
}
