//! Policy evaluation logic: the IAM User Guide's rules and worked examples, S3's buckets included where they are its.

use serde_json::json;

use crate::world::*;

const NO_IDENTITY: &str = "because no identity-based policy allows the ecr:PutImage action";
const NO_RESOURCE: &str = "because no resource-based policy allows the ecr:PutImage action";
const NO_BOUNDARY: &str = "because no permissions boundary allows the ecr:PutImage action";
const NO_SESSION: &str = "because no session policy allows the ecr:PutImage action";

fn allow(principal: &serde_json::Value) -> serde_json::Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "ecr:*"})
}

fn deny(principal: &serde_json::Value) -> serde_json::Value {
    json!({"Effect": "Deny", "Principal": principal, "Action": "ecr:*"})
}

fn nothing_here() -> serde_json::Value {
    json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
}

#[test]
fn without_policies_only_the_owners_root_may() {
    let world = World::new();
    assert_eq!(world.decide(&Who::Root(HERE)), "allowed");
    for who in [ALICE, SESSION, FEDERATED, STRANGER] {
        assert_eq!(world.decide(&who), NO_IDENTITY, "{who:?}");
    }
    for who in [
        Who::Anonymous,
        Who::Root(THERE),
        Who::Service("lambda.amazonaws.com"),
    ] {
        assert_eq!(world.decide(&who), NO_RESOURCE, "{who:?}");
    }
}

/// "Example identity-based and resource-based policy evaluation".
#[test]
fn carlos_saves_a_file() {
    let carlos = ALICE;
    let identity = json!([
        {"Sid": "AllowS3ListRead", "Effect": "Allow",
         "Action": ["s3:GetBucketLocation", "s3:GetAccountPublicAccessBlock", "s3:ListAccessPoints", "s3:ListAllMyBuckets"],
         "Resource": "arn:aws:s3:::*"},
        {"Sid": "AllowS3Self", "Effect": "Allow", "Action": "s3:*",
         "Resource": ["arn:aws:s3:::carlossalazar/*", "arn:aws:s3:::carlossalazar"]},
        {"Sid": "DenyS3Logs", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*log*"},
    ]);
    let world = World::new().identity(&identity).action("s3:PutObject");
    let put = |object: &str| world.clone().object(object).decide(&carlos);
    assert_eq!(
        put("arn:aws:s3:::carlossalazar-logs/file"),
        "with an explicit deny in an identity-based policy"
    );
    assert_eq!(put("arn:aws:s3:::carlossalazar/file"), "allowed");
    assert_eq!(
        put("arn:aws:s3:::other/file"),
        "because no identity-based policy allows the s3:PutObject action"
    );
    let list = world.clone().action("s3:ListAllMyBuckets");
    assert!(list.clone().object("arn:aws:s3:::anything").allows(&carlos));
    assert!(!list.object("*").allows(&carlos));
}

/// "Example cross-account policy evaluation", with a repository in place of the bucket.
#[test]
fn carlos_of_another_account_saves_a_file() {
    let carlos = STRANGER;
    let here = "arn:aws:ecr:eu-central-1:111122223333:repository";
    let identity = json!([
        {"Sid": "Describe", "Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": "*"},
        {"Sid": "Production", "Effect": "Allow", "Action": "ecr:*Image*", "Resource": format!("{here}/production/*")},
        {"Sid": "DenyLogs", "Effect": "Deny", "Action": "ecr:*",
         "Resource": [format!("{here}/*log*"), format!("{here}/*log*/*")]},
    ]);
    let trusting = json!({"Effect": "Allow", "Action": ["ecr:BatchGetImage*", "ecr:PutImage*", "ecr:DescribeImages"],
        "Principal": {"AWS": user_arn(THERE, "alice")}});
    let at = |name: &str| {
        World::new()
            .identity(&identity)
            .object(&format!("{here}/{name}"))
    };
    assert_eq!(
        at("production-logs").decide(&carlos),
        "with an explicit deny in an identity-based policy"
    );
    assert_eq!(at("production/app").decide(&carlos), NO_RESOURCE);
    assert_eq!(
        at("production/app").repository(&trusting).decide(&carlos),
        "allowed"
    );
    let delete = at("production/app")
        .repository(&trusting)
        .action("ecr:BatchDeleteImage");
    assert_eq!(
        delete.decide(&carlos),
        "because no resource-based policy allows the ecr:BatchDeleteImage action"
    );
    assert_eq!(
        at("staging/app").repository(&trusting).decide(&carlos),
        NO_IDENTITY
    );
    let other = Who::User(THERE, "bob");
    assert_eq!(
        at("production/app").repository(&trusting).decide(&other),
        NO_RESOURCE
    );
}

/// "The difference between explicit and implicit denies".
#[test]
fn denies_are_explicit_or_implicit() {
    let world = World::new().object("*").identity(&json!([
        {"Sid": "AllowGetList", "Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"},
        {"Sid": "DenyReports", "Effect": "Deny", "Action": "iam:*Report", "Resource": "*"},
    ]));
    let decide = |action: &str| world.clone().action(action).decide(&ALICE);
    assert_eq!(decide("iam:GetUser"), "allowed");
    assert_eq!(
        decide("iam:CreatePolicy"),
        "because no identity-based policy allows the iam:CreatePolicy action"
    );
    for action in [
        "iam:GetOrganizationsAccessReport",
        "iam:GenerateCredentialReport",
    ] {
        assert_eq!(
            decide(action),
            "with an explicit deny in an identity-based policy"
        );
    }
}

/// "Permissions boundaries for IAM entities": a boundary limits and does not grant.
#[test]
fn shirley_may_nothing() {
    let boundary =
        json!({"Effect": "Allow", "Action": ["s3:*", "cloudwatch:*", "ec2:*"], "Resource": "*"});
    let identity = json!({"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"});
    let shirley = World::new()
        .boundary(&boundary)
        .identity(&identity)
        .object("*");
    assert_eq!(
        shirley.clone().action("iam:CreateUser").decide(&ALICE),
        "because no permissions boundary allows the iam:CreateUser action"
    );
    assert_eq!(
        shirley.clone().action("s3:ListAllMyBuckets").decide(&ALICE),
        "because no identity-based policy allows the s3:ListAllMyBuckets action"
    );
    assert!(
        shirley
            .boundary(&everything())
            .action("iam:CreateUser")
            .allows(&ALICE)
    );
}

#[test]
fn either_side_allows_within_the_account() {
    let identity = json!({"Effect": "Allow", "Action": "ecr:PutImage", "Resource": REPOSITORY});
    assert!(World::new().identity(&identity).allows(&ALICE));
    let repository = allow(&json!({"AWS": user_arn(HERE, "alice")}));
    assert!(World::new().repository(&repository).allows(&ALICE));
    assert!(!World::new().repository(&repository).allows(&BOB));
    let world = World::new()
        .identity(&nothing_here())
        .repository(&repository);
    assert!(world.allows(&ALICE));
}

#[test]
fn an_explicit_deny_anywhere_wins() {
    let deny_all = json!([everything(), {"Effect": "Deny", "Action": "ecr:Put*", "Resource": "*"}]);
    let open = World::new()
        .identity(&everything())
        .boundary(&everything())
        .session(&everything())
        .repository(&allow(&json!("*")))
        .registry(
            &json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*"}),
        );
    assert_eq!(open.decide(&SESSION), "allowed");
    for (world, clause) in [
        (open.clone().identity(&deny_all), "an identity-based policy"),
        (open.clone().boundary(&deny_all), "a permissions boundary"),
        (open.clone().session(&deny_all), "a session policy"),
        (
            open.clone().repository(&deny(&json!("*"))),
            "a resource-based policy",
        ),
        (
            open.clone().registry(
                &json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}),
            ),
            "a resource-based policy",
        ),
    ] {
        assert_eq!(
            world.decide(&SESSION),
            format!("with an explicit deny in {clause}")
        );
    }
}

/// The table "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn whom_a_resource_policy_names_decides_what_limits_it() {
    let limits = [NO_BOUNDARY, NO_SESSION];
    let role = json!({"AWS": role_arn(HERE, "alice")});
    let session = json!({"AWS": session_arn(HERE, "alice", "one")});
    let user = json!({"AWS": user_arn(HERE, "alice")});
    let federated = json!({"AWS": federated_arn(HERE, "fed")});
    let everybody = json!("*");
    for (who, principal, limited) in [
        (SESSION, &role, true),
        (SESSION, &session, false),
        (SESSION, &everybody, false),
        (ALICE, &user, false),
        (ALICE, &everybody, false),
        (FEDERATED, &user, true),
        (FEDERATED, &federated, false),
        (FEDERATED, &everybody, false),
    ] {
        let world = World::new()
            .session(&everything())
            .repository(&allow(principal));
        assert_eq!(world.decide(&who), "allowed", "{who:?} by {principal}");
        let bounded = world.clone().boundary(&nothing_here()).decide(&who);
        let in_session = world.clone().session(&nothing_here()).decide(&who);
        let expected = if limited { limits } else { ["allowed"; 2] };
        assert_eq!(
            [&*bounded, &*in_session],
            expected,
            "{who:?} by {principal}"
        );
    }
}

#[test]
fn naming_the_account_leaves_the_decision_to_identity_policies() {
    for principal in [json!({"AWS": HERE}), json!({"AWS": root_arn(HERE)})] {
        let world = World::new().repository(&allow(&principal));
        assert!(world.allows(&Who::Root(HERE)));
        for who in [ALICE, SESSION, FEDERATED] {
            assert_eq!(world.decide(&who), NO_IDENTITY, "{who:?} by {principal}");
        }
        assert!(world.clone().identity(&everything()).allows(&ALICE));
        let closed = World::new()
            .identity(&everything())
            .repository(&deny(&principal));
        for who in [ALICE, SESSION, FEDERATED, Who::Root(HERE)] {
            assert_eq!(
                closed.decide(&who),
                "with an explicit deny in a resource-based policy",
                "{who:?}"
            );
        }
        assert!(
            closed
                .repository(&allow(&json!("*")))
                .allows(&Who::Anonymous)
        );
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let there = [
        (STRANGER, json!({"AWS": user_arn(THERE, "alice")})),
        (STRANGER, json!({"AWS": THERE})),
        (STRANGER, json!("*")),
        (
            Who::Role(THERE, "alice", "one"),
            json!({"AWS": role_arn(THERE, "alice")}),
        ),
        (
            Who::Role(THERE, "alice", "one"),
            json!({"AWS": session_arn(THERE, "alice", "one")}),
        ),
        (
            Who::Federated(THERE, "alice", "fed"),
            json!({"AWS": federated_arn(THERE, "fed")}),
        ),
    ];
    for (who, principal) in there {
        let resource = World::new()
            .session(&everything())
            .repository(&allow(&principal));
        let both = resource.clone().identity(&everything());
        assert_eq!(both.decide(&who), "allowed", "{who:?} by {principal}");
        assert_eq!(resource.decide(&who), NO_IDENTITY, "{who:?} by {principal}");
        assert_eq!(
            both.clone().boundary(&nothing_here()).decide(&who),
            NO_BOUNDARY
        );
        assert_eq!(
            both.clone().session(&nothing_here()).decide(&who),
            NO_SESSION
        );
        let identity = World::new().session(&everything()).identity(&everything());
        assert_eq!(identity.decide(&who), NO_RESOURCE);
        assert_eq!(
            identity
                .repository(&allow(&json!({"AWS": HERE})))
                .decide(&who),
            NO_RESOURCE
        );
    }
    let root = World::new().repository(&allow(&json!({"AWS": THERE})));
    assert!(root.allows(&Who::Root(THERE)));
}

#[test]
fn a_federated_user_without_session_policy_has_only_what_names_the_session() {
    let world = World::new().identity(&everything());
    assert_eq!(world.decide(&FEDERATED), NO_SESSION);
    assert!(world.clone().session(&everything()).allows(&FEDERATED));
    assert!(
        world
            .clone()
            .repository(&allow(&json!({"AWS": federated_arn(HERE, "fed")})))
            .allows(&FEDERATED)
    );
    let by_user = world.repository(&allow(&json!({"AWS": user_arn(HERE, "alice")})));
    assert_eq!(by_user.decide(&FEDERATED), NO_SESSION);
}

#[test]
fn root_is_subject_to_resource_policies_alone() {
    let world = World::new()
        .identity(&json!({"Effect": "Deny", "Action": "*", "Resource": "*"}))
        .boundary(&nothing_here());
    assert!(world.allows(&Who::Root(HERE)));
    assert!(
        !world
            .clone()
            .repository(&deny(&json!("*")))
            .allows(&Who::Root(HERE))
    );
    assert!(
        !world
            .repository(&deny(&json!({"AWS": HERE})))
            .allows(&Who::Root(HERE))
    );
}

#[test]
fn nobody_in_particular_needs_a_policy_for_everybody() {
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": [HERE, "*"]})] {
        let world = World::new().repository(&allow(&principal));
        assert!(world.allows(&Who::Anonymous), "{principal}");
        // What a principal without credentials has for an identity is nothing, whatever is passed for it.
        assert!(
            world
                .identity(&json!({"Effect": "Deny", "Action": "*", "Resource": "*"}))
                .allows(&Who::Anonymous)
        );
    }
    let world = World::new()
        .identity(&everything())
        .repository(&allow(&json!({"AWS": HERE})));
    assert_eq!(world.decide(&Who::Anonymous), NO_RESOURCE);
}

#[test]
fn a_service_is_named_and_conditions_limit_it() {
    let lambda = Who::Service("lambda.amazonaws.com");
    let world = World::new().repository(&json!({"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"}, "Action": ["ecr:BatchGetImage", "ecr:PutImage"],
        "Condition": {"StringLike": {"aws:sourceArn": format!("arn:aws:lambda:eu-central-1:{HERE}:function:*")}}}));
    assert!(!world.allows(&lambda));
    let from = world.with(
        "aws:SourceArn",
        "arn:aws:lambda:eu-central-1:111122223333:function:f",
    );
    assert!(from.allows(&lambda));
    assert!(!from.allows(&Who::Service("codebuild.amazonaws.com")));
    assert!(!from.allows(&Who::Anonymous));
}

#[test]
fn a_registry_policy_counts_beside_the_repositorys() {
    let statement = |effect: &str, resource: &str| json!({"Effect": effect, "Principal": {"AWS": THERE}, "Action": "ecr:PutImage", "Resource": resource});
    let teams = format!("arn:aws:ecr:eu-central-1:{HERE}:repository/team/*");
    let others = format!("arn:aws:ecr:eu-central-1:{HERE}:repository/other/*");
    let world = World::new().identity(&everything());
    assert!(
        world
            .clone()
            .registry(&statement("Allow", &teams))
            .allows(&STRANGER)
    );
    assert!(
        !world
            .clone()
            .registry(&statement("Allow", &others))
            .allows(&STRANGER)
    );
    let both = world
        .registry(&statement("Deny", &teams))
        .repository(&allow(&json!("*")));
    assert!(!both.allows(&STRANGER));
    assert!(both.allows(&ALICE));
}

#[test]
fn what_nobody_owns_is_the_callers() {
    let world =
        World::new().identity(&json!({"Effect": "Allow", "Action": "sts:*", "Resource": "*"}));
    let allowed =
        world
            .action("sts:GetCallerIdentity")
            .object("*")
            .ask(&STRANGER, |request, policies| {
                let request = longshore_policy::Request {
                    below: false,
                    resource_account: None,
                    ..*request
                };
                longshore_policy::evaluate(&request, policies).is_allowed()
            });
    assert!(allowed);
}
