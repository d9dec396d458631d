//! Who may assume a role.

use serde_json::json;

use crate::world::*;

#[test]
fn a_role_is_assumed_by_whom_its_trust_policy_names() {
    let role = role_arn(HERE, "bob");
    let trusting = |principal: serde_json::Value| {
        let statement =
            json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        World::new()
            .trust(&statement)
            .action("sts:AssumeRole")
            .object(&role)
    };
    let may_assume = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role});
    let no_trust = "because no role trust policy allows the sts:AssumeRole action";
    let no_identity = "because no identity-based policy allows the sts:AssumeRole action";

    let named = trusting(json!({"AWS": user_arn(HERE, "alice")}));
    assert_eq!(named.decide(&ALICE), "allowed");
    assert_eq!(named.decide(&BOB), no_trust);
    assert_eq!(named.clone().identity(&everything()).decide(&BOB), no_trust);
    assert_eq!(named.decide(&Who::Root(HERE)), no_trust);

    let account = trusting(json!({"AWS": root_arn(HERE)}));
    assert_eq!(account.decide(&ALICE), no_identity);
    assert_eq!(
        account.clone().identity(&may_assume).decide(&ALICE),
        "allowed"
    );
    let bounded = account
        .identity(&may_assume)
        .boundary(&json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    assert_eq!(
        bounded.decide(&ALICE),
        "because no permissions boundary allows the sts:AssumeRole action"
    );

    for principal in [
        json!({"AWS": user_arn(THERE, "alice")}),
        json!({"AWS": THERE}),
        json!("*"),
    ] {
        let across = trusting(principal);
        assert_eq!(across.decide(&STRANGER), no_identity);
        assert_eq!(
            across.clone().identity(&may_assume).decide(&STRANGER),
            "allowed"
        );
    }
    let denied = World::new().action("sts:AssumeRole").object(&role).identity(&everything()).trust(&json!([
        {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": {"AWS": user_arn(HERE, "alice")}, "Action": "sts:AssumeRole"}]));
    assert_eq!(
        denied.decide(&ALICE),
        "with an explicit deny in the role trust policy"
    );
    assert_eq!(denied.decide(&BOB), "allowed");
}

#[test]
fn a_role_is_assumed_with_what_a_provider_vouches_for() {
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let world = World::new()
        .action("sts:AssumeRoleWithWebIdentity")
        .object(&role_arn(HERE, "bob"))
        .trust(&json!({"Effect": "Allow", "Principal": {"Federated": github}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo-org/octo-repo:*"}}}))
        .with("token.actions.githubusercontent.com:aud", "sts.amazonaws.com");
    let main = world.clone().with(
        "token.actions.githubusercontent.com:sub",
        "repo:octo-org/octo-repo:ref:refs/heads/main",
    );
    assert!(main.allows(&Who::Web(github)));
    assert!(!main.allows(&Who::Web(
        "arn:aws:iam::444455556666:oidc-provider/token.actions.githubusercontent.com"
    )));
    assert!(!main.identity(&everything()).allows(&ALICE));
    let fork = world.clone().with(
        "token.actions.githubusercontent.com:sub",
        "repo:octo-org/octo-repo-fork:x",
    );
    assert!(!fork.allows(&Who::Web(github)));
    assert!(!world.allows(&Who::Web(github)));
}

#[test]
fn a_role_for_everybody_is_not_for_what_providers_vouch_for() {
    let github =
        Who::Web("arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com");
    let trusting = |effect: &str| json!({"Effect": effect, "Principal": "*", "Action": "sts:*"});
    let world = |statements| {
        World::new()
            .action("sts:AssumeRoleWithWebIdentity")
            .trust(&statements)
    };
    assert!(!world(trusting("Allow")).allows(&github));
    let provider = json!({"Effect": "Allow", "Action": "sts:*",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}});
    assert!(world(provider.clone()).allows(&github));
    assert!(!world(json!([provider, trusting("Deny")])).allows(&github));
}
