//! What holds in any world: the second evaluator agrees, denials never widen, allowances never narrow, order is nothing.

use longshore_policy::{Effect, Kind, Policy, PolicySet, Reason, evaluate, explain};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::naive::{Case, Verdict};
use crate::world::*;

const GITHUB: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
const LAMBDA: &str = "lambda.amazonaws.com";

/// Operators without prefix and suffix, each with a key and values of its type.
const TEXT_OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const TEXTS: &[&str] = &[
    "red",
    "Red",
    "r*",
    "?ed",
    "",
    "*",
    "alice",
    "${aws:PrincipalTag/team}",
    "${aws:PrincipalTag/team, 'red'}",
    "${*}",
    "x${aws:username}",
    "${AWS:userName}",
];
const ARN_OPERATORS: &[&str] = &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"];
const ARNS: &[&str] = &[
    "arn:aws:iam::*:user/*",
    "arn:aws:iam::111122223333:*",
    "*",
    "arn:*",
    "arn:aws:*:*:*:role/?lice",
    "arn:aws:s3:::x:y",
    "arn:aws:iam::111122223333:user/${aws:username}",
    "arn:aws:iam::${aws:username}",
    "nothing",
];
const NUMBER_OPERATORS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATE_OPERATORS: &[&str] = &[
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];
const DATES: &[&str] = &[
    "2020-01-01",
    "1577836800",
    "2020-01-01T00:00Z",
    "2019-12-31T23:00:00-01:00",
    "2020-01-01T00:00:01Z",
    "2020-01-01T00:00:00.5Z",
    "1999-12-31",
];

fn who() -> impl Strategy<Value = Who> {
    let account = || select(vec![HERE, HERE, THERE]);
    let name = || select(vec!["alice", "bob"]);
    prop_oneof![
        1 => Just(Who::Anonymous),
        1 => account().prop_map(Who::Root),
        4 => (account(), name()).prop_map(|(account, name)| Who::User(account, name)),
        4 => (account(), name(), select(vec!["one", "two"])).prop_map(|(account, name, session)| Who::Role(account, name, session)),
        3 => (account(), name(), select(vec!["fed", "other"])).prop_map(|(account, name, session)| Who::Federated(account, name, session)),
        1 => Just(Who::Web(GITHUB)),
        1 => Just(Who::Service(LAMBDA)),
    ]
}

fn condition() -> impl Strategy<Value = (String, String, Vec<&'static str>)> {
    let typed = prop_oneof![
        4 => (select(TEXT_OPERATORS), select(vec!["aws:PrincipalTag/Team", "aws:TagKeys", "aws:username"]), vec(select(TEXTS), 0..3)),
        2 => (select(ARN_OPERATORS), Just("aws:PrincipalArn"), vec(select(ARNS), 0..3)),
        1 => (select(NUMBER_OPERATORS), Just("aws:Number"), vec(select(vec!["1", "2", "10", "1.5", "-3"]), 1..3)),
        1 => (select(DATE_OPERATORS), Just("aws:CurrentTime"), vec(select(DATES), 1..3)),
        1 => (Just("Bool"), Just("aws:SecureTransport"), vec(select(vec!["true", "false"]), 1..3)),
        1 => (Just("BinaryEquals"), Just("aws:Bytes"), vec(select(vec!["QQ==", "Qg=="]), 1..3)),
        2 => (select(vec!["IpAddress", "NotIpAddress"]), Just("aws:SourceIp"),
            vec(select(vec!["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "10.1.2.0/25"]), 1..3)),
    ];
    let with_affixes = (
        select(vec!["", "", "ForAllValues:", "ForAnyValue:"]),
        typed,
        select(vec!["", "", "IfExists"]),
    )
        .prop_map(|(set, (operator, key, values), suffix)| {
            (format!("{set}{operator}{suffix}"), key.to_owned(), values)
        });
    let null = (
        select(vec!["aws:TagKeys", "aws:username", "aws:sourceip"]),
        select(vec!["true", "false"]),
    )
        .prop_map(|(key, value)| ("Null".to_owned(), key.to_owned(), vec![value]));
    prop_oneof![8 => with_affixes, 1 => null]
}

fn context() -> impl Strategy<Value = Vec<(String, String)>> {
    let entry = prop_oneof![
        3 => (select(vec!["aws:PrincipalTag/team", "AWS:principaltag/TEAM", "aws:TagKeys", "aws:tagkeys", "aws:username"]),
            select(vec!["red", "Red", "alice", "bob", "", "*", "xalice"])),
        1 => (Just("aws:PrincipalArn"), select(vec!["arn:aws:iam::111122223333:user/alice", "arn:aws:sts::1:role/alice", "arn:aws:s3:::x:y", "nothing"])),
        1 => (Just("aws:Number"), select(vec!["1", "2", "1.50", "10", "many"])),
        1 => (Just("aws:CurrentTime"), select(vec!["2020-01-01T00:00Z", "1577836800", "1999-12-31", "2020-01-01T00:00:01Z", "never"])),
        1 => (select(vec!["aws:SecureTransport", "aws:Bytes"]), select(vec!["true", "false", "QQ=="])),
        1 => (Just("aws:SourceIp"), select(vec!["10.1.2.3", "10.1.2.200", "10.9.9.9", "192.168.0.1", "nowhere"])),
    ];
    vec(
        entry.prop_map(|(key, value)| (key.to_owned(), value.to_owned())),
        0..8,
    )
}

fn principals(shape: Shape) -> impl Strategy<Value = Value> {
    let mut names = vec![
        "*".to_owned(),
        HERE.to_owned(),
        root_arn(HERE),
        THERE.to_owned(),
        root_arn(THERE),
    ];
    for account in [HERE, THERE] {
        names.extend([
            user_arn(account, "alice"),
            id("AIDA", account, "alice"),
            role_arn(account, "alice"),
            id("AROA", account, "bob"),
            session_arn(account, "alice", "one"),
            federated_arn(account, "fed"),
        ]);
    }
    prop_oneof![
        1 => Just(json!("*")),
        6 => vec(select(names.clone()), 1..6).prop_map(|names| json!({"AWS": names})),
        1 => select(names).prop_map(move |name| match shape {
            Shape::Trust => json!({"Federated": GITHUB, "AWS": name}),
            Shape::Attached | Shape::Resource => json!({"Service": LAMBDA, "AWS": name}),
        }),
    ]
}

/// Whom a policy is about, or none for one that is attached to whom it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Attached,
    Resource,
    Trust,
}

fn statement(
    shape: Shape,
    effect: impl Strategy<Value = &'static str>,
) -> impl Strategy<Value = Value> {
    let actions = match shape {
        Shape::Trust => vec!["sts:AssumeRole", "sts:*", "STS:assume*", "sts:TagSession"],
        Shape::Attached => vec![
            "ecr:GetA",
            "ECR:geta",
            "ecr:Get*",
            "ecr:*",
            "ecr:???A",
            "*",
            "ecr:PutB",
            "sts:*",
            "sts:AssumeRole",
        ],
        Shape::Resource => vec![
            "ecr:GetA", "ECR:geta", "ecr:Get*", "ecr:*", "ecr:???A", "*", "ecr:PutB",
        ],
    };
    let resources = vec![
        "*",
        "arn:aws:ecr:*",
        "arn:aws:x:::a",
        "arn:aws:x:::?",
        "arn:aws:x:::${aws:username}",
        "arn:aws:x:::${aws:username, 'a'}",
        "arn:aws:x:::*${aws:PrincipalTag/team}*",
        "arn:aws:*",
    ];
    let conditions = prop_oneof![2 => Just(Vec::new()), 1 => vec(condition(), 1..3)];
    (
        effect,
        (vec(select(actions), 1..3), prop::bool::weighted(0.25)),
        (vec(select(resources), 1..3), prop::bool::weighted(0.25)),
        (principals(shape), prop::bool::weighted(0.25)),
        conditions,
    )
        .prop_map(
            move |(
                effect,
                (actions, not_action),
                (resources, not_resource),
                (principals, not_principal),
                conditions,
            )| {
                let mut statement = Map::new();
                statement.insert("Effect".to_owned(), json!(effect));
                statement.insert(
                    if not_action { "NotAction" } else { "Action" }.to_owned(),
                    json!(actions),
                );
                if shape != Shape::Trust {
                    statement.insert(
                        if not_resource {
                            "NotResource"
                        } else {
                            "Resource"
                        }
                        .to_owned(),
                        json!(resources),
                    );
                }
                if shape != Shape::Attached {
                    let negated = not_principal && effect == "Deny" && shape == Shape::Resource;
                    statement.insert(
                        if negated { "NotPrincipal" } else { "Principal" }.to_owned(),
                        principals,
                    );
                }
                let mut operators = Map::new();
                for (operator, key, values) in conditions {
                    operators.insert(operator, json!({key: values}));
                }
                statement.insert("Condition".to_owned(), Value::Object(operators));
                Value::Object(statement)
            },
        )
}

fn any_effect() -> impl Strategy<Value = &'static str> {
    select(vec!["Allow", "Allow", "Allow", "Allow", "Deny"])
}

fn attached() -> impl Strategy<Value = Vec<Vec<Value>>> {
    vec(vec(statement(Shape::Attached, any_effect()), 1..4), 0..3)
}

prop_compose! {
    fn case()(trust in prop::bool::weighted(0.3))(
        who in who(),
        action in select(if trust {
            vec!["sts:AssumeRole", "sts:TagSession"]
        } else {
            vec!["ecr:GetA", "ecr:PutA", "ECR:PUTB"]
        }),
        object in select(vec!["*", "arn:aws:x:::a", "arn:aws:x:::red", "arn:aws:x:::alice"]),
        context in context(),
        identity in option::weighted(0.8, attached()),
        boundary in option::weighted(0.3, attached()),
        session in option::weighted(0.5, attached()),
        resource in vec(
            vec(statement(if trust { Shape::Trust } else { Shape::Resource }, any_effect()), 1..4),
            if trust { 1..2_usize } else { 0..3 },
        ),
        trust in Just(trust),
    ) -> Case {
        let (action, object) = (action.to_owned(), object.to_owned());
        Case { who, action, object, context, identity, boundary, session, resource, trust }
    }
}

fn set_of(policies: &[Vec<Value>]) -> PolicySet {
    let parsed = policies.iter().enumerate().map(|(idx, statements)| {
        let policy = policy(Kind::Identity, &json!(statements));
        (idx.to_string().into(), policy.into())
    });
    PolicySet::new(parsed)
}

fn world_of(case: &Case) -> World {
    let of = |policies: &Option<Vec<Vec<Value>>>| policies.as_deref().map(set_of);
    let parsed = |kind| {
        let policies = case.resource.iter();
        policies
            .map(|statements| policy(kind, &json!(statements)))
            .collect::<Vec<Policy>>()
    };
    World {
        identity: of(&case.identity),
        boundary: of(&case.boundary),
        session: of(&case.session),
        trust: case.trust.then(|| parsed(Kind::Trust).remove(0)),
        resource: if case.trust {
            vec![]
        } else {
            parsed(Kind::Registry)
        },
        context: case.context.iter().cloned().collect(),
        action: case.action.clone(),
        object: case.object.clone(),
        below: false,
    }
}

fn reason(case: &Case) -> Option<Reason> {
    world_of(case).ask(&case.who, |request, policies| {
        evaluate(request, policies).reason()
    })
}

fn allowed(case: &Case) -> bool {
    reason(case).is_none()
}

/// Adds a statement to one of the policies, or as one more policy.
fn add(policies: &mut Vec<Vec<Value>>, statement: Value, at: Index) {
    match at.index(policies.len() + 1).checked_sub(1) {
        Some(idx) => policies[idx].push(statement),
        None => policies.push(vec![statement]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_naive_evaluator_agrees(case in case()) {
        let verdict = match reason(&case) {
            None => Verdict::Allowed,
            Some(Reason::Explicit(_)) => Verdict::Explicit,
            Some(Reason::Implicit(_)) => Verdict::Implicit,
        };
        prop_assert_eq!(verdict, case.decide());
    }

    #[test]
    fn a_denial_never_widens(
        case in case(),
        attached in statement(Shape::Attached, Just("Deny")),
        resource in statement(Shape::Resource, Just("Deny")),
        trust in statement(Shape::Trust, Just("Deny")),
        at in any::<Index>(),
    ) {
        let before = allowed(&case);
        for side in 0..4 {
            let mut more = case.clone();
            match side {
                0 => add(more.identity.get_or_insert_default(), attached.clone(), at),
                1 => add(more.boundary.get_or_insert_default(), attached.clone(), at),
                2 if !matches!(case.who, Who::Federated(..)) => {
                    add(more.session.get_or_insert_default(), attached.clone(), at);
                }
                _ if case.trust => more.resource[0].push(trust.clone()),
                _ => add(&mut more.resource, resource.clone(), at),
            }
            prop_assert!(before || !allowed(&more), "{more:?}");
        }
    }

    #[test]
    fn an_allowance_never_narrows(
        case in case(),
        attached in statement(Shape::Attached, Just("Allow")),
        resource in statement(Shape::Resource, Just("Allow")),
        trust in statement(Shape::Trust, Just("Allow")),
        at in any::<Index>(),
    ) {
        let before = allowed(&case);
        for side in 0..4 {
            let mut more = case.clone();
            match side {
                0 => add(more.identity.get_or_insert_default(), attached.clone(), at),
                // Where there is no boundary and no session policy, one more allowance would be a first limit.
                1 => more.boundary.iter_mut().for_each(|policies| add(policies, attached.clone(), at)),
                2 => more.session.iter_mut().for_each(|policies| add(policies, attached.clone(), at)),
                _ if case.trust => more.resource[0].push(trust.clone()),
                _ => add(&mut more.resource, resource.clone(), at),
            }
            prop_assert!(!before || allowed(&more), "{more:?}");
        }
    }

    #[test]
    fn limits_never_widen(case in case()) {
        let limited = allowed(&case);
        let unbounded = Case { boundary: None, ..case.clone() };
        prop_assert!(!limited || allowed(&unbounded));
        if !matches!(case.who, Who::Federated(..)) {
            let unlimited = Case { session: None, ..case };
            prop_assert!(!limited || allowed(&unlimited));
        }
    }

    #[test]
    fn order_never_matters(case in case(), keys in vec(any::<u32>(), 64)) {
        let mut shuffled = case.clone();
        let mut next = keys.iter().cycle().copied();
        let mut shuffle = |policies: &mut Vec<Vec<Value>>| {
            policies.sort_by_cached_key(|_| next.next());
            for statements in policies {
                statements.sort_by_cached_key(|_| next.next());
            }
        };
        shuffled.identity.as_mut().map(&mut shuffle);
        shuffled.boundary.as_mut().map(&mut shuffle);
        shuffled.session.as_mut().map(&mut shuffle);
        shuffle(&mut shuffled.resource);
        prop_assert_eq!(reason(&shuffled), reason(&case));
    }

    #[test]
    fn an_explanation_tells_what_was_decided(case in case()) {
        world_of(&case).ask(&case.who, |request, policies| {
            let explanation = explain(request, policies);
            prop_assert_eq!(explanation.decision, evaluate(request, policies));
            let denied = explanation.matched.iter().any(|(_, effect)| *effect == Effect::Deny);
            prop_assert_eq!(denied, matches!(explanation.decision.reason(), Some(Reason::Explicit(_))));
            prop_assert!(explanation.matched.is_sorted_by(|a, b| a < b), "{:?}", explanation.matched);
            prop_assert!(explanation.missing.iter().all(|key| !request.context.contains(key)));
            Ok(())
        })?;
    }
}
