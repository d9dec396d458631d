//! Which operations there are, and what they answer.

use serde_json::json;

use super::{call, inputs::minimal};
use crate::{model::IAM, scene::Scene};

/// The operations that are built.
pub(crate) const BUILT: &[&str] = &[
    "AddUserToGroup",
    "CreateAccessKey",
    "CreateAccountAlias",
    "CreateGroup",
    "CreateRole",
    "CreateServiceLinkedRole",
    "CreateUser",
    "DeleteAccessKey",
    "DeleteAccountAlias",
    "DeleteGroup",
    "DeleteRole",
    "DeleteServiceLinkedRole",
    "DeleteUser",
    "GetAccessKeyLastUsed",
    "GetAccountSummary",
    "GetGroup",
    "GetLoginProfile",
    "GetRole",
    "GetServiceLinkedRoleDeletionStatus",
    "GetUser",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfilesForRole",
    "ListMFADevices",
    "ListRoleTags",
    "ListRoles",
    "ListSSHPublicKeys",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListUserTags",
    "ListUsers",
    "ListVirtualMFADevices",
    "RemoveUserFromGroup",
    "TagRole",
    "TagUser",
    "UntagRole",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAssumeRolePolicy",
    "UpdateGroup",
    "UpdateRole",
    "UpdateRoleDescription",
    "UpdateUser",
];

#[test]
fn every_operation_of_the_model_is_built_or_invalid() {
    let scene = Scene::open();
    for operation in IAM.operations.keys() {
        let answer = call::send(&scene, operation, &json!({"MaxItems": "none"}));
        let unknown = (answer.status, answer.code.as_str()) == (400, "InvalidAction");
        let built = BUILT.contains(&operation.as_str());
        assert_eq!(unknown, !built, "{operation}: {answer:?}");
    }
}

#[test]
fn every_output_is_of_the_model() {
    let scene = Scene::open();
    for operation in BUILT {
        let answer = call::call(&scene, operation, &minimal(&scene, operation));
        // Nobody has a password, and no other operation finds nothing here.
        let nothing = *operation == "GetLoginProfile" && answer.code == "NoSuchEntity";
        assert!(answer.status == 200 || nothing, "{operation}: {answer:?}");
    }
    // With all that can be there.
    let tags = json!([{"Key": "k", "Value": "v"}]);
    let user = json!({"UserName": "whole", "Path": "/p/", "Tags": tags});
    call::done(&scene, "CreateUser", &user);
    let told = call::done(&scene, "GetUser", &json!({"UserName": "whole"}));
    assert_eq!(told["User"]["Tags"], tags);
    let alias = json!({"AccountAlias": "alias"});
    call::done(&scene, "CreateAccountAlias", &alias);
    for (operation, list) in [
        ("ListUsers", "Users"),
        ("ListGroups", "Groups"),
        ("ListAccountAliases", "AccountAliases"),
    ] {
        let listed = call::done(&scene, operation, &json!({"MaxItems": 1}));
        assert_eq!(
            listed[list].as_array().unwrap().len(),
            1,
            "{operation}: {listed}"
        );
    }
    let of_root = call::done(&scene, "GetUser", &json!({}));
    assert_eq!(of_root["User"]["UserId"], "000000000000");
}
