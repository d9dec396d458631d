//! Actions and resources: wildcards, case, and what is not named.

use serde_json::json;

use crate::world::*;

#[test]
fn actions_are_compared_without_case_and_resources_with() {
    let identity = |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let world = World::new().action("eCr:pUtImAgE");
    for action in [
        "ecr:PutImage",
        "ECR:putimage",
        "Ecr:PUT*",
        "ecr:?utImage",
        "ECR:*",
        "*",
    ] {
        assert!(
            world
                .clone()
                .identity(&identity(action, REPOSITORY))
                .allows(&ALICE),
            "{action}"
        );
    }
    for action in [
        "ecr:Put",
        "ecr:?PutImage",
        "ecr:PutImage?",
        "ecr-public:*",
        "ecr:*Images",
        "e:*",
    ] {
        assert!(
            !world
                .clone()
                .identity(&identity(action, REPOSITORY))
                .allows(&ALICE),
            "{action}"
        );
    }
    for resource in [
        REPOSITORY,
        "*",
        "arn:aws:ecr:*:*:repository/*",
        "arn:aws:ecr:*",
        "arn:aws:ecr:eu-central-?:1111*/app",
    ] {
        assert!(
            world
                .clone()
                .identity(&identity("*", resource))
                .allows(&ALICE),
            "{resource}"
        );
    }
    for resource in [
        &REPOSITORY.replace("team", "Team"),
        "arn:aws:ecr:*:*:repository/team",
        "arn:aws:ecr:eu-central-?:2*",
    ] {
        assert!(
            !world
                .clone()
                .identity(&identity("*", resource))
                .allows(&ALICE),
            "{resource}"
        );
    }
}

#[test]
fn an_action_without_resource_is_allowed_for_all_resources_alone() {
    let world = World::new().action("ecr:GetAuthorizationToken").object("*");
    let identity = |resource| json!({"Effect": "Allow", "Action": "ecr:*", "Resource": resource});
    assert!(world.clone().identity(&identity("*")).allows(&ALICE));
    assert!(
        !world
            .identity(&identity("arn:aws:ecr:*:*:*"))
            .allows(&ALICE)
    );
}

#[test]
fn what_is_not_named_is_meant() {
    let world = |statement| World::new().identity(&statement);
    let not_action =
        json!({"Effect": "Allow", "NotAction": ["iam:*", "ecr:Delete*"], "Resource": "*"});
    assert!(world(not_action.clone()).allows(&ALICE));
    assert!(
        !world(not_action.clone())
            .action("ecr:DeleteRepository")
            .allows(&ALICE)
    );
    assert!(!world(not_action).action("IAM:CreateUser").allows(&ALICE));
    let not_resource = json!({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:ecr:*:*:repository/secret/*"]});
    assert!(world(not_resource.clone()).allows(&ALICE));
    let secret = "arn:aws:ecr:eu-central-1:111122223333:repository/secret/app";
    assert!(!world(not_resource).object(secret).allows(&ALICE));
    let deny_others =
        json!([everything(), {"Effect": "Deny", "NotAction": "ecr:Get*", "Resource": "*"}]);
    assert!(!world(deny_others.clone()).allows(&ALICE));
    assert!(
        world(deny_others)
            .action("ecr:GetLifecyclePolicy")
            .allows(&ALICE)
    );
}

#[test]
fn what_denies_any_resource_below_a_prefix_denies_all_and_what_allows_allows_each() {
    let all = everything();
    let arn = |name: &str| format!("arn:aws:ecr:eu-central-1:111122223333:repository/{name}");
    let statement = |effect: &str, member: &str, name: &str| json!({"Effect": effect, "Action": "*", member: arn(name)});
    let below = || World::new().below();
    assert!(below().identity(&all).allows(&ALICE));
    for (member, name) in [
        ("Resource", "team/secret"),
        ("Resource", "team/secret/*"),
        ("Resource", "t*/secret"),
        ("Resource", "*secret"),
        ("Resource", "team/?"),
        ("Resource", "team/*"),
        ("Resource", "????/*"),
        ("NotResource", "team/app"),
        ("NotResource", "team/a*"),
        ("NotResource", "other/*"),
    ] {
        let denied = below().identity(&json!([all, statement("Deny", member, name)]));
        assert!(!denied.allows(&ALICE), "{member} {name}");
        let denied = below().identity(&all).registry(
            &json!({"Effect": "Deny", "Principal": "*", "Action": "*", member: arn(name)}),
        );
        assert!(!denied.allows(&ALICE), "{member} {name} of a registry");
    }
    for (member, name) in [
        ("Resource", "team"),
        ("Resource", "teams/secret"),
        ("Resource", "tea?s*"),
        ("Resource", "other/*"),
        ("NotResource", "team/*"),
        ("NotResource", "t*"),
    ] {
        let allowed = below().identity(&json!([all, statement("Deny", member, name)]));
        assert!(allowed.allows(&ALICE), "{member} {name}");
    }
    for (member, name, expected) in [
        ("Resource", "team/*", true),
        ("Resource", "team*", true),
        ("Resource", "*", true),
        ("Resource", "team/app", false),
        ("Resource", "team/a*", false),
        ("Resource", "team/*a", false),
        ("Resource", "team/?", false),
        ("NotResource", "other/*", true),
        ("NotResource", "team/secret", false),
    ] {
        let world = below().identity(&statement("Allow", member, name));
        assert_eq!(world.allows(&ALICE), expected, "{member} {name}");
    }
}
