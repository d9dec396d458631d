//! A call of each operation of IAM that succeeds, once, for whoever may make it.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::harness::{Account, trust_in};

/// An input, and the ARN of what it is about.
pub(super) struct Asked {
    pub(super) input: Value,
    pub(super) resource: String,
    /// What else than success the right answer is, as status and code.
    pub(super) answer: Option<&'static str>,
}

impl Asked {
    fn new(input: Value, resource: impl Into<String>) -> Self {
        Self {
            input,
            resource: resource.into(),
            answer: None,
        }
    }
}

/// How an input names what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It does not, or what it names is made by it: it is about the caller's account.
    Nothing,
    /// By a name or an id, which are looked up in the caller's account.
    ByName,
    /// By an ARN, which has its account in it.
    ByArn,
}

impl Asked {
    pub(super) fn named(&self, operation: &str) -> Named {
        let has = |members: &[&str]| members.iter().any(|member| !self.input[*member].is_null());
        let is_making = MAKING.contains(&operation);
        if has(&NAMES) && !is_making {
            Named::ByName
        } else if has(&ARNS) && !is_making {
            Named::ByArn
        } else {
            Named::Nothing
        }
    }
}

/// Whether it is about something of which an account has one, so that who may do it takes it from who could not.
pub(super) fn is_single(operation: &str) -> bool {
    operation.contains("ServiceLinkedRole") || operation.contains("AccountAlias")
}

const NAMES: [&str; 6] = [
    "UserName",
    "GroupName",
    "RoleName",
    "AccessKeyId",
    "DeletionTaskId",
    "AccountAlias",
];
const ARNS: [&str; 3] = ["PolicyArn", "OpenIDConnectProviderArn", "PolicySourceArn"];
const MAKING: [&str; 4] = [
    "CreateUser",
    "CreateGroup",
    "CreateRole",
    "CreateAccountAlias",
];

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}}"#;
const POLICY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
/// A service that makes a role for itself.
const SERVICE: &str = "replication.ecr.amazonaws.com";
const LINKED: &str = "AWSServiceRoleForECRReplication";
const LINKED_PATH: &str =
    "role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication";

/// Makes what `operation` needs in an account.
pub(super) async fn ask(scene: &Scene, account: &Account, operation: &str) -> Asked {
    let star = |input: Value| Asked::new(input, "*");
    let at = |path: &str| account.arn(path);
    match operation {
        "CreateUser" => made(scene, account, "UserName", "user"),
        "CreateGroup" => made(scene, account, "GroupName", "group"),
        "CreateRole" => {
            let mut asked = made(scene, account, "RoleName", "role");
            asked.input["AssumeRolePolicyDocument"] = json!(trust_in(&account.id));
            asked
        }
        "CreatePolicy" => {
            let mut asked = made(scene, account, "PolicyName", "policy");
            asked.input["PolicyDocument"] = json!(DOCUMENT);
            asked
        }
        "CreateOpenIDConnectProvider" => {
            let host = format!("{}.example.com", scene.fresh());
            let resource = at(&format!("oidc-provider/{host}"));
            let url = format!("https://{host}");
            Asked::new(
                json!({ "Url": url, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": ["a".repeat(40)] }),
                resource,
            )
        }
        "ListUsers" => Asked::new(json!({}), at("user/")),
        "ListGroups" => Asked::new(json!({}), at("group/")),
        "ListRoles" => Asked::new(json!({}), at("role/")),
        "ListPolicies" => Asked::new(json!({ "Scope": "Local" }), at("policy/")),
        "ListVirtualMFADevices" => Asked::new(json!({}), at("mfa/")),
        "GetAccountSummary"
        | "ListAccountAliases"
        | "ListOpenIDConnectProviders"
        | "GetAccountAuthorizationDetails" => star(json!({})),
        "CreateAccountAlias" => star(json!({ "AccountAlias": scene.fresh() })),
        "DeleteAccountAlias" => {
            let alias = json!({ "AccountAlias": scene.fresh() });
            account.iam("CreateAccountAlias", &alias).await;
            star(alias)
        }
        "SimulateCustomPolicy" => {
            star(json!({ "PolicyInputList": [DOCUMENT], "ActionNames": ["ecr:PutImage"] }))
        }
        "GetContextKeysForCustomPolicy" => star(json!({ "PolicyInputList": [DOCUMENT] })),
        _ if operation.contains("OpenIDConnectProvider") => {
            of_provider(scene, account, operation).await
        }
        _ if operation.contains("Group") && operation != "ListGroupsForUser" => {
            of_group(scene, account, operation).await
        }
        _ if operation.contains("Role") => of_role(scene, account, operation).await,
        "CreatePolicyVersion"
        | "DeletePolicyVersion"
        | "GetPolicyVersion"
        | "ListPolicyVersions"
        | "SetDefaultPolicyVersion"
        | "DeletePolicy"
        | "GetPolicy"
        | "ListEntitiesForPolicy"
        | "ListPolicyTags"
        | "TagPolicy"
        | "UntagPolicy" => of_policy(scene, account, operation).await,
        _ => of_user(scene, account, operation).await,
    }
}

fn made(scene: &Scene, account: &Account, member: &str, kind: &str) -> Asked {
    let name = scene.fresh();
    Asked::new(
        json!({ member: name }),
        account.arn(&format!("{kind}/{name}")),
    )
}

async fn of_user(scene: &Scene, account: &Account, operation: &str) -> Asked {
    let name = scene.fresh();
    let of = json!({ "UserName": name });
    account.iam("CreateUser", &of).await;
    let resource = account.arn(&format!("user/{name}"));
    let with = |more: Value| merged(&of, &more);
    let input = match operation {
        "AttachUserPolicy" => with(json!({ "PolicyArn": POLICY })),
        "DetachUserPolicy" => {
            prepared(
                account,
                "AttachUserPolicy",
                with(json!({ "PolicyArn": POLICY })),
            )
            .await
        }
        "PutUserPolicy" => with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT })),
        "GetUserPolicy" | "DeleteUserPolicy" => {
            let put = with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT }));
            account.iam("PutUserPolicy", &put).await;
            with(json!({ "PolicyName": "p" }))
        }
        "PutUserPermissionsBoundary" => with(json!({ "PermissionsBoundary": POLICY })),
        "DeleteUserPermissionsBoundary" => {
            account.bound(&name, POLICY).await;
            with(json!({}))
        }
        "UpdateUser" => with(json!({ "NewPath": "/new/" })),
        "TagUser" => with(json!({ "Tags": [{ "Key": "k", "Value": "v" }] })),
        "UntagUser" => with(json!({ "TagKeys": ["k"] })),
        "SimulatePrincipalPolicy" => {
            json!({ "PolicySourceArn": resource, "ActionNames": ["ecr:PutImage"] })
        }
        "GetContextKeysForPrincipalPolicy" => json!({ "PolicySourceArn": resource }),
        "DeleteAccessKey" => with(key_of(account, &of).await),
        "UpdateAccessKey" => merged(
            &with(key_of(account, &of).await),
            &json!({ "Status": "Inactive" }),
        ),
        "GetAccessKeyLastUsed" => key_of(account, &of).await,
        // Nobody has a password for a console.
        "GetLoginProfile" | "DeleteLoginProfile" => {
            return Asked {
                answer: Some("404 NoSuchEntity"),
                ..Asked::new(with(json!({})), resource)
            };
        }
        "CreateAccessKey"
        | "DeleteUser"
        | "GetUser"
        | "ListAccessKeys"
        | "ListAttachedUserPolicies"
        | "ListGroupsForUser"
        | "ListMFADevices"
        | "ListSSHPublicKeys"
        | "ListServiceSpecificCredentials"
        | "ListSigningCertificates"
        | "ListUserPolicies"
        | "ListUserTags" => with(json!({})),
        other => panic!("no input for {other}"),
    };
    Asked::new(input, resource)
}

async fn key_of(account: &Account, user: &Value) -> Value {
    let made = account.iam("CreateAccessKey", user).await;
    json!({ "AccessKeyId": made.element("AccessKeyId").unwrap() })
}

async fn of_group(scene: &Scene, account: &Account, operation: &str) -> Asked {
    let name = scene.fresh();
    let of = json!({ "GroupName": name });
    account.iam("CreateGroup", &of).await;
    let resource = account.arn(&format!("group/{name}"));
    let with = |more: Value| merged(&of, &more);
    let input = match operation {
        "AddUserToGroup" | "RemoveUserFromGroup" => {
            let user = json!({ "UserName": scene.fresh() });
            account.iam("CreateUser", &user).await;
            if operation == "RemoveUserFromGroup" {
                account.iam("AddUserToGroup", &with(user.clone())).await;
            }
            with(user)
        }
        "AttachGroupPolicy" => with(json!({ "PolicyArn": POLICY })),
        "DetachGroupPolicy" => {
            prepared(
                account,
                "AttachGroupPolicy",
                with(json!({ "PolicyArn": POLICY })),
            )
            .await
        }
        "PutGroupPolicy" => with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT })),
        "GetGroupPolicy" | "DeleteGroupPolicy" => {
            let put = with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT }));
            account.iam("PutGroupPolicy", &put).await;
            with(json!({ "PolicyName": "p" }))
        }
        "UpdateGroup" => with(json!({ "NewPath": "/new/" })),
        "DeleteGroup" | "GetGroup" | "ListAttachedGroupPolicies" | "ListGroupPolicies" => {
            with(json!({}))
        }
        other => panic!("no input for {other}"),
    };
    Asked::new(input, resource)
}

async fn of_role(scene: &Scene, account: &Account, operation: &str) -> Asked {
    if operation.contains("ServiceLinkedRole") {
        return of_service_role(account, operation).await;
    }
    let name = scene.fresh();
    account.role(&name).await;
    let of = json!({ "RoleName": name });
    let resource = account.arn(&format!("role/{name}"));
    let with = |more: Value| merged(&of, &more);
    let input = match operation {
        "AttachRolePolicy" => with(json!({ "PolicyArn": POLICY })),
        "DetachRolePolicy" => {
            prepared(
                account,
                "AttachRolePolicy",
                with(json!({ "PolicyArn": POLICY })),
            )
            .await
        }
        "PutRolePolicy" => with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT })),
        "GetRolePolicy" | "DeleteRolePolicy" => {
            let put = with(json!({ "PolicyName": "p", "PolicyDocument": DOCUMENT }));
            account.iam("PutRolePolicy", &put).await;
            with(json!({ "PolicyName": "p" }))
        }
        "PutRolePermissionsBoundary" => with(json!({ "PermissionsBoundary": POLICY })),
        "DeleteRolePermissionsBoundary" => {
            let put = with(json!({ "PermissionsBoundary": POLICY }));
            account.iam("PutRolePermissionsBoundary", &put).await;
            with(json!({}))
        }
        "TagRole" => with(json!({ "Tags": [{ "Key": "k", "Value": "v" }] })),
        "UntagRole" => with(json!({ "TagKeys": ["k"] })),
        "UpdateRoleDescription" => with(json!({ "Description": "d" })),
        "UpdateAssumeRolePolicy" => with(json!({ "PolicyDocument": trust_in(&account.id) })),
        "DeleteRole"
        | "GetRole"
        | "ListAttachedRolePolicies"
        | "ListInstanceProfilesForRole"
        | "ListRolePolicies"
        | "ListRoleTags"
        | "UpdateRole" => with(json!({})),
        other => panic!("no input for {other}"),
    };
    Asked::new(input, resource)
}

async fn of_service_role(account: &Account, operation: &str) -> Asked {
    let resource = account.arn(LINKED_PATH);
    let of = json!({ "RoleName": LINKED });
    let service = json!({ "AWSServiceName": SERVICE });
    if operation == "CreateServiceLinkedRole" {
        account
            .admin
            .call("iam", "DeleteServiceLinkedRole", &of)
            .await;
        return Asked::new(service, resource);
    }
    account
        .admin
        .call("iam", "CreateServiceLinkedRole", &service)
        .await;
    if operation == "DeleteServiceLinkedRole" {
        return Asked::new(of, resource);
    }
    let deleted = account.iam("DeleteServiceLinkedRole", &of).await;
    let task = deleted.element("DeletionTaskId").unwrap();
    Asked::new(json!({ "DeletionTaskId": task }), resource)
}

async fn of_policy(scene: &Scene, account: &Account, operation: &str) -> Asked {
    let name = scene.fresh();
    let create = json!({ "PolicyName": name, "PolicyDocument": DOCUMENT });
    account.iam("CreatePolicy", &create).await;
    let resource = account.arn(&format!("policy/{name}"));
    let of = json!({ "PolicyArn": resource });
    let with = |more: Value| merged(&of, &more);
    let input = match operation {
        "CreatePolicyVersion" => with(json!({ "PolicyDocument": DOCUMENT })),
        "DeletePolicyVersion" | "SetDefaultPolicyVersion" => {
            let version = with(json!({ "PolicyDocument": DOCUMENT }));
            account.iam("CreatePolicyVersion", &version).await;
            with(json!({ "VersionId": "v2" }))
        }
        "GetPolicyVersion" => with(json!({ "VersionId": "v1" })),
        "TagPolicy" => with(json!({ "Tags": [{ "Key": "k", "Value": "v" }] })),
        "UntagPolicy" => with(json!({ "TagKeys": ["k"] })),
        _ => with(json!({})),
    };
    Asked::new(input, resource)
}

async fn of_provider(scene: &Scene, account: &Account, operation: &str) -> Asked {
    let host = format!("{}.example.com", scene.fresh());
    let create = json!({ "Url": format!("https://{host}"), "ClientIDList": ["a", "b"], "ThumbprintList": ["a".repeat(40)] });
    account.iam("CreateOpenIDConnectProvider", &create).await;
    let resource = account.arn(&format!("oidc-provider/{host}"));
    let of = json!({ "OpenIDConnectProviderArn": resource });
    let with = |more: Value| merged(&of, &more);
    let input = match operation {
        "AddClientIDToOpenIDConnectProvider" => with(json!({ "ClientID": "c" })),
        "RemoveClientIDFromOpenIDConnectProvider" => with(json!({ "ClientID": "b" })),
        "UpdateOpenIDConnectProviderThumbprint" => {
            with(json!({ "ThumbprintList": ["b".repeat(40)] }))
        }
        "TagOpenIDConnectProvider" => with(json!({ "Tags": [{ "Key": "k", "Value": "v" }] })),
        "UntagOpenIDConnectProvider" => with(json!({ "TagKeys": ["k"] })),
        "DeleteOpenIDConnectProvider"
        | "GetOpenIDConnectProvider"
        | "ListOpenIDConnectProviderTags" => with(json!({})),
        other => panic!("no input for {other}"),
    };
    Asked::new(input, resource)
}

/// Makes a call that the input undoes.
async fn prepared(account: &Account, operation: &str, input: Value) -> Value {
    account.iam(operation, &input).await;
    input
}

fn merged(first: &Value, second: &Value) -> Value {
    let mut all = first.clone();
    for (member, value) in second.as_object().unwrap() {
        all[member] = value.clone();
    }
    all
}
