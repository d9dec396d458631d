//! Policy variables.

use longshore_policy::{InvalidPolicy, Kind, Policy};
use serde_json::json;

use crate::world::*;

fn may(resource: &str, object: &str, context: &[(&'static str, &'static str)]) -> bool {
    let mut world = World::new()
        .identity(&json!({"Effect": "Allow", "Action": "ecr:*", "Resource": resource}))
        .object(object);
    world.context = context.iter().copied().collect();
    world.allows(&ALICE)
}

const OWN: &str = "arn:aws:ecr:*:*:repository/${aws:username}/*";
const ALICES: &str = "arn:aws:ecr:eu-central-1:111122223333:repository/alice/app";

#[test]
fn a_variable_has_the_value_of_the_request() {
    assert!(may(OWN, ALICES, &[("AWS:UserName", "alice")]));
    assert!(!may(OWN, ALICES, &[("aws:username", "bob")]));
    assert!(!may(OWN, ALICES, &[("aws:username", "Alice")]));
    assert!(!may(OWN, ALICES, &[]));
    let twice = "arn:aws:ecr:*:*:repository/${aws:username}/${aws:PrincipalTag/team}*";
    assert!(may(
        twice,
        ALICES,
        &[("aws:username", "alice"), ("aws:PrincipalTag/Team", "a")]
    ));
}

#[test]
fn a_value_has_no_wildcards_nor_variables() {
    assert!(!may(OWN, ALICES, &[("aws:username", "*")]));
    assert!(!may(OWN, ALICES, &[("aws:username", "al?ce")]));
    assert!(!may(
        OWN,
        ALICES,
        &[
            ("aws:username", "${aws:PrincipalTag/x}"),
            ("aws:PrincipalTag/x", "alice")
        ]
    ));
    assert!(may(
        "arn:aws:s3:::${aws:username}",
        "arn:aws:s3:::*",
        &[("aws:username", "*")]
    ));
}

#[test]
fn a_variable_without_value_matches_nothing_but_its_default() {
    let team = "arn:aws:s3:::DOC-EXAMPLE-BUCKET-${aws:PrincipalTag/team, 'company-wide'}";
    let bucket = |name: &str| format!("arn:aws:s3:::DOC-EXAMPLE-BUCKET-{name}");
    let may = |name: &str, context: &[(&'static str, &'static str)]| {
        let mut world = World::new()
            .identity(&json!({"Effect": "Allow", "Action": "s3:*", "Resource": team}))
            .action("s3:GetObject")
            .object(&bucket(name));
        world.context = context.iter().copied().collect();
        world.allows(&ALICE)
    };
    assert!(may("company-wide", &[]));
    assert!(!may("yellow", &[]));
    assert!(may("yellow", &[("aws:PrincipalTag/team", "yellow")]));
    assert!(!may("company-wide", &[("aws:PrincipalTag/team", "yellow")]));
    // A key with several values is no variable, and it is there, so the default is not meant either.
    assert!(!may(
        "company-wide",
        &[
            ("aws:PrincipalTag/team", "a"),
            ("aws:PrincipalTag/team", "b")
        ]
    ));
}

/// "Policy variables with no value".
#[test]
fn negated_operators_match_a_variable_without_value() {
    let world = World::new()
        .identity(
            &json!([everything(), {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
            "StringNotEquals": {"ecr:ResourceTag/Team": "${aws:PrincipalTag/Team}"}}}]),
        )
        .with("ecr:ResourceTag/Team", "red");
    assert!(!world.allows(&ALICE));
    assert!(
        !world
            .clone()
            .with("aws:PrincipalTag/Team", "blue")
            .allows(&ALICE)
    );
    assert!(world.with("aws:PrincipalTag/Team", "red").allows(&ALICE));
}

#[test]
fn conditions_compare_with_other_keys() {
    for (operator, value, tag, expected) in [
        ("StringEquals", "${aws:username}-x", "alice-x", true),
        ("StringEquals", "${aws:username}-x", "alice-*", false),
        (
            "StringEqualsIgnoreCase",
            "${aws:username}-X",
            "ALICE-x",
            true,
        ),
        ("StringLike", "*/${aws:username}/?", "home/alice/1", true),
        ("StringLike", "*/${aws:username}/?", "home/alice/12", false),
        (
            "ArnLike",
            "arn:aws:iam::*:user/${aws:username}",
            "arn:aws:iam::1:user/alice",
            true,
        ),
        (
            "ArnLike",
            "arn:aws:iam::*:user/${aws:username}",
            "arn:aws:iam::1:user/alice2",
            false,
        ),
    ] {
        let mut world = World::new()
            .identity(&json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"aws:ResourceTag/k": value}}}));
        world.context = [("aws:username", "alice"), ("aws:ResourceTag/k", tag)]
            .into_iter()
            .collect();
        assert_eq!(
            world.allows(&ALICE),
            expected,
            "{operator} {value} on {tag}"
        );
    }
}

#[test]
fn special_characters_stand_for_themselves() {
    for (resource, object, expected) in [
        ("arn:aws:s3:::a${*}b", "arn:aws:s3:::a*b", true),
        ("arn:aws:s3:::a${*}b", "arn:aws:s3:::axb", false),
        ("arn:aws:s3:::a${?}b", "arn:aws:s3:::a?b", true),
        ("arn:aws:s3:::a${?}b", "arn:aws:s3:::axb", false),
        (
            "arn:aws:s3:::a${$}{aws:username}",
            "arn:aws:s3:::a${aws:username}",
            true,
        ),
        ("arn:aws:s3:::a$b", "arn:aws:s3:::a$b", true),
    ] {
        assert_eq!(may_s3(resource, object), expected, "{resource} on {object}");
    }
}

fn may_s3(resource: &str, object: &str) -> bool {
    let identity = json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource});
    let world = World::new().identity(&identity).action("s3:GetObject");
    world.object(object).allows(&ALICE)
}

#[test]
fn the_old_version_has_no_variables() {
    let text = document(
        &json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:username}"}),
    );
    for (text, object) in [
        (
            text.replace("2012-10-17", "2008-10-17"),
            "arn:aws:s3:::${aws:username}",
        ),
        (text, "arn:aws:s3:::alice"),
    ] {
        let mut world = World::new()
            .with("aws:username", "alice")
            .action("s3:GetObject")
            .object(object);
        let policy = Policy::parse(&text, Kind::Identity).unwrap();
        world.identity = Some(longshore_policy::PolicySet::new([(
            "p".into(),
            policy.into(),
        )]));
        assert!(world.allows(&ALICE), "{text}");
    }
}

#[test]
fn malformed_variables_are_refused() {
    for variable in [
        "${aws:username",
        "${}",
        "${username}",
        "${aws:}",
        "${aws:username, x}",
        "${aws:username, 'x}",
        "${aws:username, 'x' y}",
        "${aws:a${aws:b}}",
        "${ aws:username}",
        "${aws:username }",
        "${aws:user*}",
    ] {
        for statement in [
            json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::{variable}")}),
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:x": variable}}}),
        ] {
            let error = parse(Kind::Identity, &statement).unwrap_err();
            assert!(
                matches!(error, InvalidPolicy::Variable(_)),
                "{variable}: {error}"
            );
        }
    }
}
