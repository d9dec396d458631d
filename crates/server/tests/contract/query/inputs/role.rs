//! Roles.

use serde_json::{Value, json};

use super::TRUST;
use crate::{
    query::call::{call, done},
    scene::Scene,
};

/// A role that a service makes for itself.
const LINKED: &str = "AWSServiceRoleForECRReplication";
const SERVICE: &str = "replication.ecr.amazonaws.com";

/// A new role.
pub(super) fn role(scene: &Scene) -> String {
    let name = scene.fresh_word();
    let role = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST});
    done(scene, "CreateRole", &role);
    name
}

pub(super) fn minimal(scene: &Scene, operation: &str) -> Option<Value> {
    Some(match operation {
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
            json!({"AWSServiceName": SERVICE})
        }
        "DeleteServiceLinkedRole" => {
            let service = json!({"AWSServiceName": SERVICE});
            call(scene, "CreateServiceLinkedRole", &service);
            json!({"RoleName": LINKED})
        }
        "GetServiceLinkedRoleDeletionStatus" => {
            let role = minimal(scene, "DeleteServiceLinkedRole")?;
            let deleted = done(scene, "DeleteServiceLinkedRole", &role);
            json!({"DeletionTaskId": deleted["DeletionTaskId"]})
        }
        _ => return None,
    })
}
