//! Inputs that are right, with little in them but what is required, and examples for every other member.

use serde_json::{Map, Value, json};

use super::call::{call, done};
use crate::{
    cases::Source,
    model::{IAM, Kind},
    scene::Scene,
};

/// Where cases of IAM's API come from.
pub(crate) fn source() -> Source {
    Source {
        model: &IAM,
        example,
    }
}

fn user(scene: &Scene) -> String {
    let name = scene.fresh_word();
    done(scene, "CreateUser", &json!({"UserName": name}));
    name
}

fn group(scene: &Scene) -> String {
    let name = scene.fresh_word();
    done(scene, "CreateGroup", &json!({"GroupName": name}));
    name
}

fn key(scene: &Scene) -> Value {
    let name = user(scene);
    let made = done(scene, "CreateAccessKey", &json!({"UserName": name}));
    json!({"UserName": name, "AccessKeyId": made["AccessKey"]["AccessKeyId"]})
}

/// A policy that lets the account's principals assume a role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}]}"#;

/// A role that a service makes for itself.
const LINKED: &str = "AWSServiceRoleForECRReplication";

fn role(scene: &Scene) -> String {
    let name = scene.fresh_word();
    let role = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    done(scene, "CreateRole", &role);
    name
}

/// Makes what an operation needs and returns an input that succeeds, once.
pub(crate) fn minimal(scene: &Scene, operation: &str) -> Value {
    match operation {
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
        "GetUser"
        | "UpdateUser"
        | "DeleteUser"
        | "ListUserTags"
        | "CreateAccessKey"
        | "ListAccessKeys"
        | "ListGroupsForUser"
        | "ListMFADevices"
        | "ListSSHPublicKeys"
        | "ListServiceSpecificCredentials"
        | "GetLoginProfile"
        | "ListSigningCertificates" => {
            json!({"UserName": user(scene)})
        }
        "TagUser" => json!({"UserName": user(scene), "Tags": [{"Key": "k", "Value": "v"}]}),
        "UntagUser" => json!({"UserName": user(scene), "TagKeys": ["k"]}),
        "GetGroup" | "UpdateGroup" | "DeleteGroup" => json!({"GroupName": group(scene)}),
        "AddUserToGroup" => json!({"GroupName": group(scene), "UserName": user(scene)}),
        "RemoveUserFromGroup" => {
            let input = minimal(scene, "AddUserToGroup");
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
        other => minimal_of_role(scene, other),
    }
}

fn minimal_of_role(scene: &Scene, operation: &str) -> Value {
    match operation {
        "CreateRole" => json!({"RoleName": scene.fresh_word(), "AssumeRolePolicyDocument": TRUST}),
        "ListRoles" => json!({}),
        "GetRole"
        | "DeleteRole"
        | "UpdateRole"
        | "ListRoleTags"
        | "ListInstanceProfilesForRole" => {
            json!({"RoleName": role(scene)})
        }
        "UpdateRoleDescription" => json!({"RoleName": role(scene), "Description": "d"}),
        "UpdateAssumeRolePolicy" => json!({"RoleName": role(scene), "PolicyDocument": TRUST}),
        "TagRole" => json!({"RoleName": role(scene), "Tags": [{"Key": "k", "Value": "v"}]}),
        "UntagRole" => json!({"RoleName": role(scene), "TagKeys": ["k"]}),
        "CreateServiceLinkedRole" => {
            call(
                scene,
                "DeleteServiceLinkedRole",
                &json!({"RoleName": LINKED}),
            );
            json!({"AWSServiceName": "replication.ecr.amazonaws.com"})
        }
        "DeleteServiceLinkedRole" => {
            let service = json!({"AWSServiceName": "replication.ecr.amazonaws.com"});
            call(scene, "CreateServiceLinkedRole", &service);
            json!({"RoleName": LINKED})
        }
        "GetServiceLinkedRoleDeletionStatus" => {
            let role = minimal_of_role(scene, "DeleteServiceLinkedRole");
            let deleted = done(scene, "DeleteServiceLinkedRole", &role);
            json!({"DeletionTaskId": deleted["DeletionTaskId"]})
        }
        other => panic!("no input for {other}"),
    }
}

/// A value of a shape, with no member that is not required.
fn example(shape_name: &str) -> Value {
    let shape = IAM.shape(shape_name);
    match shape.kind {
        Kind::Structure => {
            let member = |name: &String| (name.clone(), example(&shape.members[name].shape));
            Value::Object(shape.required.iter().map(member).collect::<Map<_, _>>())
        }
        Kind::List => json!([example(&shape.member.as_ref().unwrap().shape)]),
        Kind::Boolean => json!(true),
        Kind::Integer | Kind::Long => json!(shape.min.unwrap_or(0).max(1)),
        Kind::String => json!(text(shape_name, &shape.words)),
        other => panic!("no example of {other:?} for {shape_name}"),
    }
}

fn text(shape: &str, words: &[String]) -> String {
    if let Some(word) = words.first() {
        return word.clone();
    }
    match shape {
        "pathType" | "pathPrefixType" => "/contract/".to_owned(),
        "accessKeyIdType" => "AKIAAAAAAAAAAAAAAAAA".to_owned(),
        "arnType" => "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
        _ => "example".to_owned(),
    }
}
