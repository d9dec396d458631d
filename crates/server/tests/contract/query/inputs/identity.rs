//! Users, groups and access keys, and the account.

use serde_json::{Value, json};

use crate::{query::call::done, scene::Scene};

/// A new user.
pub(super) fn user(scene: &Scene) -> String {
    let name = scene.fresh_word();
    done(scene, "CreateUser", &json!({"UserName": name}));
    name
}

/// A new group.
pub(super) fn group(scene: &Scene) -> String {
    let name = scene.fresh_word();
    done(scene, "CreateGroup", &json!({"GroupName": name}));
    name
}

fn key(scene: &Scene) -> Value {
    let name = user(scene);
    let made = done(scene, "CreateAccessKey", &json!({"UserName": name}));
    json!({"UserName": name, "AccessKeyId": made["AccessKey"]["AccessKeyId"]})
}

pub(super) fn minimal(scene: &Scene, operation: &str) -> Option<Value> {
    Some(match operation {
        "CreateUser" => json!({"UserName": scene.fresh_word()}),
        "CreateGroup" => json!({"GroupName": scene.fresh_word()}),
        "CreateAccountAlias" => json!({"AccountAlias": scene.fresh_word()}),
        "DeleteAccountAlias" => {
            let alias = json!({"AccountAlias": scene.fresh_word()});
            done(scene, "CreateAccountAlias", &alias);
            alias
        }
        "GetAccountSummary"
        | "ListAccountAliases"
        | "ListGroups"
        | "ListUsers"
        | "ListVirtualMFADevices" => json!({}),
        "CreateAccessKey"
        | "DeleteLoginProfile"
        | "DeleteUser"
        | "GetLoginProfile"
        | "GetUser"
        | "ListAccessKeys"
        | "ListGroupsForUser"
        | "ListMFADevices"
        | "ListSSHPublicKeys"
        | "ListServiceSpecificCredentials"
        | "ListSigningCertificates"
        | "ListUserTags"
        | "UpdateUser" => json!({"UserName": user(scene)}),
        "TagUser" => json!({"UserName": user(scene), "Tags": [{"Key": "k", "Value": "v"}]}),
        "UntagUser" => json!({"UserName": user(scene), "TagKeys": ["k"]}),
        "GetGroup" | "UpdateGroup" | "DeleteGroup" => json!({"GroupName": group(scene)}),
        "AddUserToGroup" => json!({"GroupName": group(scene), "UserName": user(scene)}),
        "RemoveUserFromGroup" => {
            let input = minimal(scene, "AddUserToGroup")?;
            done(scene, "AddUserToGroup", &input);
            input
        }
        "DeleteAccessKey" => key(scene),
        "UpdateAccessKey" => {
            let mut input = key(scene);
            input["Status"] = json!("Inactive");
            input
        }
        "GetAccessKeyLastUsed" => json!({"AccessKeyId": key(scene)["AccessKeyId"]}),
        _ => return None,
    })
}
