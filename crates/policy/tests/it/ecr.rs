//! The examples of the ECR User Guide: policies of repositories and registries.

use longshore_policy::Kind;
use serde_json::{Value, json};

use crate::world::*;

fn may(world: &World, who: &Who, action: &str) -> bool {
    world.clone().action(action).allows(who)
}

fn pull(who: &Value) -> Value {
    json!({"Sid": "Pull", "Effect": "Allow", "Principal": who,
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"})
}

#[test]
fn some_pull_and_others_do_all() {
    let world = World::new().repository(&json!([
        pull(&json!({"AWS": [user_arn(HERE, "alice"), role_arn(HERE, "alice")]})),
        {"Sid": "AllowAll", "Effect": "Allow", "Principal": {"AWS": user_arn(HERE, "bob")}, "Action": ["ecr:*"], "Resource": "*"},
    ]));
    for (who, action, expected) in [
        (&ALICE, "ecr:BatchGetImage", true),
        (&SESSION, "ecr:GetDownloadUrlForLayer", true),
        (&ALICE, "ecr:PutImage", false),
        (&BOB, "ecr:PutImage", true),
        (&BOB, "ecr:DeleteRepository", true),
        (&Who::Anonymous, "ecr:BatchGetImage", false),
    ] {
        assert_eq!(may(&world, who, action), expected, "{who:?} {action}");
    }
}

#[test]
fn another_account_pushes() {
    let push = json!({"Sid": "AllowCrossAccountPush", "Effect": "Allow", "Principal": {"AWS": root_arn(THERE)},
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload",
            "ecr:PutImage", "ecr:UploadLayerPart"], "Resource": "*"});
    let power = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
    let world = World::new().identity(&power).repository(&push);
    assert!(may(&world, &STRANGER, "ecr:PutImage"));
    assert!(!may(&world, &STRANGER, "ecr:BatchGetImage"));
    assert!(!may(
        &World::new().repository(&push),
        &STRANGER,
        "ecr:PutImage"
    ));
}

#[test]
fn a_denial_for_all_denies_who_is_allowed() {
    let deny = json!({"Sid": "DenyPull", "Effect": "Deny", "Principal": "*",
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"});
    let world = World::new().identity(&everything()).repository(&deny);
    for who in [ALICE, SESSION, Who::Root(HERE), Who::Anonymous] {
        assert!(!may(&world, &who, "ecr:BatchGetImage"), "{who:?}");
    }
    assert!(may(&world, &ALICE, "ecr:PutImage"));
}

#[test]
fn addresses_are_restricted() {
    let world = World::new().identity(&everything()).repository(
        &json!({"Sid": "IPAllow", "Effect": "Deny",
        "Principal": "*", "Action": "ecr:*", "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "54.240.143.0/24"}}}),
    );
    let from = |address| world.clone().with("aws:SourceIp", address).allows(&ALICE);
    assert!(from("54.240.143.7"));
    assert!(from("::ffff:54.240.143.7"));
    assert!(!from("54.240.144.7"));
    assert!(!from("2001:db8::1"));
    assert!(!world.allows(&ALICE));
}

#[test]
fn codebuild_pulls_for_its_project() {
    let project = "arn:aws:codebuild:eu-central-1:111122223333:project/app";
    let mut statement = pull(&json!({"Service": "codebuild.amazonaws.com"}));
    statement["Condition"] =
        json!({"ArnLike": {"aws:SourceArn": project}, "StringEquals": {"aws:SourceAccount": HERE}});
    let codebuild = Who::Service("codebuild.amazonaws.com");
    let world = World::new()
        .repository(&statement)
        .with("aws:SourceAccount", HERE);
    let of = |arn| {
        may(
            &world.clone().with("aws:SourceArn", arn),
            &codebuild,
            "ecr:BatchGetImage",
        )
    };
    assert!(of(
        "arn:aws:codebuild:eu-central-1:111122223333:project/app"
    ));
    assert!(!of(
        "arn:aws:codebuild:eu-central-1:111122223333:project/other"
    ));
    assert!(!may(&world, &codebuild, "ecr:BatchGetImage"));
}

#[test]
fn an_organization_pulls() {
    let mut statement = pull(&json!("*"));
    statement["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}});
    let world = World::new().identity(&everything()).repository(&statement);
    let member = world.clone().with("aws:PrincipalOrgID", "o-exampleorgid");
    assert!(may(&member, &STRANGER, "ecr:BatchGetImage"));
    assert!(!may(&world, &STRANGER, "ecr:BatchGetImage"));
    assert!(!may(&world, &Who::Anonymous, "ecr:BatchGetImage"));
}

#[test]
fn a_source_account_replicates() {
    let statement = |resource: &str| {
        json!({"Sid": "ReplicationAccessCrossAccount", "Effect": "Allow", "Principal": {"AWS": root_arn(THERE)},
            "Action": ["ecr:CreateRepository", "ecr:ReplicateImage"], "Resource": resource})
    };
    let all = format!("arn:aws:ecr:eu-central-1:{HERE}:repository/*");
    let some = format!("arn:aws:ecr:eu-central-1:{HERE}:repository/prod-*");
    let world = World::new().registry(&statement(&all));
    assert!(may(&world, &Who::Root(THERE), "ecr:ReplicateImage"));
    assert!(!may(&world, &Who::Root(THERE), "ecr:PutImage"));
    let prod = World::new().registry(&statement(&some));
    assert!(!may(&prod, &Who::Root(THERE), "ecr:ReplicateImage"));
    let object = format!("arn:aws:ecr:eu-central-1:{HERE}:repository/prod-app");
    assert!(may(
        &prod.object(&object),
        &Who::Root(THERE),
        "ecr:CreateRepository"
    ));
}

/// Tags decide: the attribute-based control of the ECR User Guide.
#[test]
fn tags_decide() {
    let world = World::new().identity(&json!([
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*",
         "Condition": {"StringEquals": {"ecr:ResourceTag/environment": "dev"}}},
        {"Effect": "Allow", "Action": ["ecr:CreateRepository", "ecr:TagResource"], "Resource": "*", "Condition": {
            "StringEquals": {"aws:RequestTag/environment": ["dev", "prod"]},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["environment", "owner"]}}}]));
    let dev = world.clone().with("ecr:ResourceTag/environment", "dev");
    assert!(dev.allows(&ALICE));
    assert!(
        !world
            .clone()
            .with("ecr:ResourceTag/environment", "prod")
            .allows(&ALICE)
    );
    let request = world
        .with("aws:RequestTag/environment", "prod")
        .with("aws:TagKeys", "environment");
    assert!(may(&request, &ALICE, "ecr:CreateRepository"));
    assert!(!may(
        &request.with("aws:TagKeys", "secret"),
        &ALICE,
        "ecr:CreateRepository"
    ));
}

#[test]
fn a_registry_policy_names_its_resources() {
    let statement =
        json!({"Effect": "Allow", "Principal": {"AWS": THERE}, "Action": "ecr:ReplicateImage"});
    assert!(parse(Kind::Registry, &statement).is_err());
    assert!(parse(Kind::Repository, &statement).is_ok());
}
