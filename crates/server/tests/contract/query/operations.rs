//! Which operations there are, and what they answer.

use serde_json::json;

use super::{call, inputs::minimal};
use crate::{model::IAM, scene::Scene};

/// The operations that are built.
pub(crate) const BUILT: &[&str] = &[
    "AddClientIDToOpenIDConnectProvider",
    "AddUserToGroup",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreateAccessKey",
    "CreateAccountAlias",
    "CreateGroup",
    "CreateOpenIDConnectProvider",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "CreateServiceLinkedRole",
    "CreateUser",
    "DeleteAccessKey",
    "DeleteAccountAlias",
    "DeleteGroup",
    "DeleteGroupPolicy",
    "DeleteLoginProfile",
    "DeleteOpenIDConnectProvider",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteServiceLinkedRole",
    "DeleteUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DetachGroupPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "GetAccessKeyLastUsed",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "GetContextKeysForCustomPolicy",
    "GetContextKeysForPrincipalPolicy",
    "GetGroup",
    "GetGroupPolicy",
    "GetLoginProfile",
    "GetOpenIDConnectProvider",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetServiceLinkedRoleDeletionStatus",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListEntitiesForPolicy",
    "ListGroupPolicies",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfilesForRole",
    "ListMFADevices",
    "ListOpenIDConnectProviderTags",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "ListSSHPublicKeys",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListUserPolicies",
    "ListUserTags",
    "ListUsers",
    "ListVirtualMFADevices",
    "PutGroupPolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RemoveClientIDFromOpenIDConnectProvider",
    "RemoveUserFromGroup",
    "SetDefaultPolicyVersion",
    "SimulateCustomPolicy",
    "SimulatePrincipalPolicy",
    "TagOpenIDConnectProvider",
    "TagPolicy",
    "TagRole",
    "TagUser",
    "UntagOpenIDConnectProvider",
    "UntagPolicy",
    "UntagRole",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAssumeRolePolicy",
    "UpdateGroup",
    "UpdateOpenIDConnectProviderThumbprint",
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
        // Nobody has a password, and every other operation finds something here.
        let nothing = operation.ends_with("LoginProfile") && answer.code == "NoSuchEntity";
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
