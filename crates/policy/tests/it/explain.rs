//! What simulators show: matched statements, missing keys.

use longshore_policy::{Effect, Kind, Policy, PolicySet, Side, explain, statement_spans};
use serde_json::json;

use crate::world::*;

#[test]
fn every_matching_statement_is_told() {
    let mut world = World::new()
        .boundary(&everything())
        .repository(&json!([
            {"Effect": "Allow", "Principal": {"AWS": user_arn(HERE, "bob")}, "Action": "ecr:*"},
            {"Sid": "for all", "Effect": "Allow", "Principal": "*", "Action": "ecr:Put*"}]))
        .registry(&json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:PutImage", "Resource": "*"}));
    let identity = |statements| {
        Policy::parse(&document(&statements), Kind::Identity)
            .unwrap()
            .into()
    };
    world.identity = Some(PolicySet::new([
        (
            "first".into(),
            identity(json!([
            {"Effect": "Allow", "Action": ["ecr:PutImage", "ecr:Put*", "ecr:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": "ecr:Get*", "Resource": "*"}])),
        ),
        (
            "second".into(),
            identity(json!({"Sid": "No", "Effect": "Deny", "Action": "*", "Resource": "*"})),
        ),
    ]));
    let found = world.ask(&ALICE, |request, policies| {
        let explanation = explain(request, policies);
        assert!(!explanation.decision.is_allowed());
        let matched = explanation.matched.into_iter();
        let named = matched.map(|(id, effect)| {
            (
                id.side,
                id.policy.to_owned(),
                id.index,
                id.sid.map(str::to_owned),
                effect,
            )
        });
        named.collect::<Vec<_>>()
    });
    let expected = [
        (Side::Identity, "first", 0, None, Effect::Allow),
        (Side::Identity, "second", 0, Some("No"), Effect::Deny),
        (Side::Boundary, "inline", 0, None, Effect::Allow),
        (Side::Resource, "registry", 0, None, Effect::Allow),
        (
            Side::Resource,
            "repository",
            1,
            Some("for all"),
            Effect::Allow,
        ),
    ];
    let expected = expected.map(|(side, policy, index, sid, effect)| {
        (
            side,
            policy.to_owned(),
            index,
            sid.map(str::to_owned),
            effect,
        )
    });
    assert_eq!(found, expected);
}

#[test]
fn missing_keys_are_those_of_statements_about_the_action() {
    let world = World::new().with("aws:SourceIp", "10.0.0.1").identity(&json!([
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*", "Condition": {
            "IpAddress": {"aws:sourceip": "10.0.0.0/8"}, "StringEquals": {"aws:ResourceTag/Team": "red", "AWS:UserName": "x"}}},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Null": {"aws:Unrelated": "true"}}}]));
    let missing = world.ask(&ALICE, |request, policies| {
        let missing = explain(request, policies).missing.into_iter();
        missing.map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(missing, ["aws:username", "aws:ResourceTag/Team"]);
}

#[test]
fn statements_are_found_in_their_text() {
    let text = "{\"Id\": \"é\", \"Statement\": [\n  {\"Effect\": \"Allow\", \"Action\": \"*\",\n   \"Resource\": \"*\"}, {\"Effect\":\"Deny\",\"Action\":\"a:b\",\"Resource\":\"*\"}\n]}";
    let spans = statement_spans(text).unwrap();
    let cut: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                (span.start.line, span.start.column),
                (span.end.line, span.end.column),
            )
        })
        .collect();
    assert_eq!(cut, [((2, 3), (3, 20)), ((3, 22), (3, 69))]);
    let single = statement_spans(&document(&everything())).unwrap();
    assert_eq!((single.len(), single[0].start.line), (1, 1));
    assert!(statement_spans("{}").is_err());
}
