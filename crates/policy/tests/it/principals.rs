//! Whom the policies of resources name.

use std::collections::BTreeMap;

use longshore_policy::{Kind, rename_principals};
use serde_json::{Value, json};

use crate::world::*;

const LAMBDA: Who = Who::Service("lambda.amazonaws.com");

fn allowed(principal: &Value, who: &Who) -> bool {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "ecr:*"});
    World::new().repository(&statement).allows(who)
}

#[test]
fn a_principal_is_who_it_names() {
    let others = [
        ALICE,
        BOB,
        SESSION,
        Who::Role(HERE, "alice", "two"),
        Who::Role(HERE, "bob", "one"),
        FEDERATED,
        Who::Federated(HERE, "bob", "other"),
        LAMBDA,
        Who::Service("ecr.amazonaws.com"),
    ];
    for (principal, named) in [
        (json!({"AWS": user_arn(HERE, "alice")}), &[ALICE][..]),
        (json!({"AWS": id("AIDA", HERE, "alice")}), &[ALICE]),
        (
            json!({"AWS": role_arn(HERE, "alice")}),
            &[SESSION, Who::Role(HERE, "alice", "two")],
        ),
        (
            json!({"AWS": [id("AROA", HERE, "alice")]}),
            &[SESSION, Who::Role(HERE, "alice", "two")],
        ),
        (
            json!({"AWS": session_arn(HERE, "alice", "one")}),
            &[SESSION],
        ),
        (json!({"AWS": federated_arn(HERE, "fed")}), &[FEDERATED]),
        (json!({"Service": "lambda.amazonaws.com"}), &[LAMBDA]),
        (
            json!({"Service": ["Lambda.AmazonAWS.com"], "AWS": user_arn(HERE, "bob")}),
            &[LAMBDA, BOB],
        ),
        (
            json!({"AWS": [user_arn(THERE, "alice"), role_arn(THERE, "alice"), federated_arn(THERE, "fed")]}),
            &[],
        ),
        (json!({"AWS": user_arn(HERE, "nobody")}), &[]),
        (json!({"AWS": HERE}), &[]),
        (json!("*"), &others),
    ] {
        for who in &others {
            // A federated user of a user who is named is limited by the session's policies, of which there are none.
            assert_eq!(
                allowed(&principal, who),
                named.contains(who),
                "{who:?} by {principal}"
            );
        }
    }
}

#[test]
fn principals_of_other_forms_are_refused() {
    let refused = |kind, principal: &Value| {
        let action = if kind == Kind::Trust {
            "sts:AssumeRole"
        } else {
            "ecr:*"
        };
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
        parse(kind, &statement).unwrap_err().to_string()
    };
    for name in [
        "",
        "11112222333",
        "arn:aws:iam::111122223333:user/*",
        "arn:aws:iam::111122223333:role/ci*",
        "arn:aws:iam::*:root",
        "arn:aws-cn:iam::111122223333:root",
        "arn:aws:iam::111122223333:group/g",
        "arn:aws:sts::111122223333:assumed-role/ci/*",
        "arn:aws:ecr:eu:111122223333:x",
        "arn:aws:iam::111122223333:user/\u{430}lice",
        "AIDA*",
        "AKIAIOSFODNN7EXAMPLE",
        "AIDAIOSFODNN7example",
        "ALICE",
        "**",
        "*,111122223333",
        " *",
    ] {
        for kind in [Kind::Trust, Kind::Repository] {
            let expected = format!("Invalid principal in policy: \"AWS\":\"{name}\"");
            assert_eq!(refused(kind, &json!({"AWS": ["*", name]})), expected);
        }
    }
    for principal in [
        json!({"Service": "*"}),
        json!({"Service": "lambda"}),
        json!({"Service": "lambda..com"}),
        json!({"Federated": "*"}),
        json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/*"}),
        json!({"Federated": "arn:aws:iam::111122223333:user/alice"}),
        json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
        json!({"aws": HERE}),
        json!({"Everyone": "*"}),
    ] {
        for kind in [Kind::Trust, Kind::Repository] {
            assert!(
                refused(kind, &principal).starts_with("Invalid principal in policy: "),
                "{principal}"
            );
        }
    }
    let provider = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/gitlab.com"});
    assert!(refused(Kind::Repository, &provider).starts_with("Invalid principal"));
}

#[test]
fn a_name_means_whom_it_meant_when_it_was_saved() {
    let statement = json!({"Effect": "Allow", "Action": "ecr:*", "Principal": {"AWS": [
        user_arn(HERE, "alice"), role_arn(HERE, "alice"), session_arn(HERE, "alice", "one"), HERE,
        federated_arn(HERE, "fed"), id("AIDA", HERE, "bob")]}});
    let unbound = parse(Kind::Repository, &statement).unwrap();
    assert_eq!(
        unbound.principal_ids().into_iter().collect::<Vec<_>>(),
        [id("AIDA", HERE, "bob")]
    );
    let arns: Vec<String> = unbound
        .principal_arns()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut expected = [
        user_arn(HERE, "alice"),
        role_arn(HERE, "alice"),
        session_arn(HERE, "alice", "one"),
    ];
    expected.sort();
    assert_eq!(arns, expected);

    let world = |policy| {
        let mut world = World::new();
        world.resource.push(policy);
        world
    };
    let before = world(unbound.clone());
    let saved = world(unbound.clone().bind(&ids()));
    let recreated: BTreeMap<_, _> = arns
        .iter()
        .map(|arn| (arn.clone(), "AIDAOFANEARLIERLIFE".to_owned()))
        .collect();
    let after = world(unbound.bind(&recreated));
    for who in [ALICE, SESSION] {
        assert!(!before.allows(&who), "{who:?} is not bound");
        assert!(saved.allows(&who), "{who:?} is meant");
        assert!(!after.allows(&who), "{who:?} has only the name");
    }
    assert!(after.allows(&BOB) && after.allows(&FEDERATED));
}

/// "`NotPrincipal` with `Deny`": the exception must name the account, the user or role, and the session.
#[test]
fn an_exception_names_every_form_of_the_caller() {
    let (root, user, role) = (
        root_arn(THERE),
        user_arn(THERE, "alice"),
        role_arn(THERE, "alice"),
    );
    let session = session_arn(THERE, "alice", "one");
    let federated = federated_arn(THERE, "fed");
    let visitor = Who::Role(THERE, "alice", "one");
    let guest = Who::Federated(THERE, "alice", "fed");
    for (who, names, excepted) in [
        (&STRANGER, vec![&user, &root], true),
        (&STRANGER, vec![&user], false),
        (&STRANGER, vec![&root], false),
        (&visitor, vec![&session, &role, &root], true),
        (&visitor, vec![&session, &role], false),
        (&visitor, vec![&session, &root], false),
        (&visitor, vec![&role, &root], false),
        (&guest, vec![&federated, &root], true),
        (&guest, vec![&user, &root], false),
        (&Who::Root(THERE), vec![&root], true),
        (&Who::Root(THERE), vec![&user], false),
        (&ALICE, vec![&user, &root], false),
        (&Who::Anonymous, vec![&user, &root], false),
    ] {
        let world = World::new()
            .identity(&everything())
            .session(&everything())
            .repository(&json!([
            {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": names}, "Action": "ecr:*"}]));
        assert_eq!(world.allows(who), excepted, "{who:?} of {names:?}");
        // IAM denies whoever has a boundary, whatever the exception says.
        let bounded = world.boundary(&everything());
        let has_boundary = !matches!(who, Who::Root(_) | Who::Anonymous);
        assert_eq!(
            bounded.allows(who),
            excepted && !has_boundary,
            "{who:?} of {names:?}, bounded"
        );
    }
    let services = World::new().repository(&json!([
        {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"},
        {"Effect": "Deny", "NotPrincipal": {"Service": "lambda.amazonaws.com"}, "Action": "ecr:*"}]));
    assert!(
        services.allows(&LAMBDA) && !services.allows(&ALICE) && !services.allows(&Who::Anonymous)
    );
}

#[test]
fn a_principal_that_is_gone_is_shown_by_its_id() {
    let gone = user_arn(HERE, "alice");
    let names = BTreeMap::from([(gone.clone(), "AIDAOFANEARLIERLIFE".to_owned())]);
    let text = format!(
        r#"{{
        "Version": "2012-10-17",
        "Statement": [
            {{"Sid": "{gone}", "Effect": "Allow", "Principal": {{"AWS": ["{gone}", "{HERE}"]}}, "Action": "ecr:*",
              "Condition": {{"NumericLessThan": {{"aws:x": [1, 2.5]}}, "ArnLike": {{"aws:PrincipalArn": "{gone}"}}}}}},
            {{"Effect": "Deny", "NotPrincipal": {{"AWS": "{gone}"}}, "Action": "ecr:*"}}
        ]}}"#
    );
    let shown = rename_principals(&text, &names).unwrap();
    let mut expected: Value = serde_json::from_str(&text).unwrap();
    expected["Statement"][0]["Principal"]["AWS"][0] = json!("AIDAOFANEARLIERLIFE");
    expected["Statement"][1]["NotPrincipal"]["AWS"] = json!("AIDAOFANEARLIERLIFE");
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expected);
    assert!(
        shown.starts_with(r#"{"Version":"2012-10-17","Statement":[{"Sid""#),
        "{shown}"
    );
    assert_eq!(rename_principals(&text, &BTreeMap::new()).unwrap(), text);
    assert!(rename_principals("{", &names).is_err());
}
