//! What is a policy of which kind, and what IAM says of the rest.

use longshore_policy::{InvalidPolicy, Kind, Policy, Version};
use serde_json::{Value, json};

use crate::world::*;

const KINDS: [Kind; 5] = [
    Kind::Identity,
    Kind::Session,
    Kind::Trust,
    Kind::Repository,
    Kind::Registry,
];

/// A statement that every kind of policy takes once `for_kind` has fitted it.
fn for_kind(kind: Kind) -> Value {
    match kind {
        Kind::Identity | Kind::Session => everything(),
        Kind::Trust => {
            json!({"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "sts:AssumeRole"})
        }
        Kind::Repository => json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}),
        Kind::Registry => {
            json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*"})
        }
    }
}

/// The statement of a kind with one element set, or removed when it is null.
fn with(kind: Kind, element: &str, value: Value) -> Value {
    let mut statement = for_kind(kind);
    let members = statement.as_object_mut().unwrap();
    members.remove(element);
    if !value.is_null() {
        members.insert(element.to_owned(), value);
    }
    statement
}

fn refusal(kind: Kind, statements: &Value) -> String {
    match parse(kind, statements) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_kind_has_a_simplest_policy() {
    for kind in KINDS {
        let policy = parse(kind, &for_kind(kind)).unwrap();
        assert_eq!((policy.kind(), policy.version()), (kind, Version::V2012));
        parse(kind, &json!([for_kind(kind), for_kind(kind)])).unwrap();
    }
}

#[test]
fn what_is_no_document_is_refused() {
    let statement = everything();
    for text in [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({"Version": "2012-10-17"}).to_string(),
        json!({"Statement": []}).to_string(),
        json!({"Statement": "x"}).to_string(),
        json!({"Statement": [statement, []]}).to_string(),
        json!({"Statement": [[statement]]}).to_string(),
        json!({"Version": "2012-10-18", "Statement": statement}).to_string(),
        json!({"Version": 20_121_017, "Statement": statement}).to_string(),
        json!({"Id": 1, "Statement": statement}).to_string(),
        json!({"statement": statement}).to_string(),
        json!({"Statement": statement, "Extra": 1}).to_string(),
        format!("\u{feff}{}", document(&statement)),
        format!("{} x", document(&statement)),
        r#"{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}}"#.to_owned(),
        r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}, "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#.to_owned(),
        format!(r#"{{"Statement": {}"#, "[".repeat(100_000)),
    ] {
        let error = Policy::parse(&text, Kind::Identity).unwrap_err();
        assert_eq!(error, InvalidPolicy::Syntax, "{}", text.get(..100).unwrap_or(&text));
    }
}

#[test]
fn versions_are_the_known_two() {
    let version = |text: &str| Policy::parse(text, Kind::Identity).unwrap().version();
    let old = document(&everything()).replace("2012-10-17", "2008-10-17");
    assert_eq!(version(&old), Version::V2008);
    assert_eq!(
        version(&json!({"Statement": everything()}).to_string()),
        Version::V2008
    );
    assert_eq!(
        version(
            &json!({"Id": "x", "Version": "2012-10-17", "Statement": [everything()]}).to_string()
        ),
        Version::V2012
    );
}

#[test]
fn sizes_are_counted_without_white_space() {
    let text = document(&everything());
    let spread =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    let size = |text: &str| Policy::parse(text, Kind::Identity).unwrap().size();
    assert_eq!((size(&text), size(&spread)), (text.len(), text.len()));
    for kind in KINDS {
        let text = document(&for_kind(kind));
        let fill = |n: usize| format!("{text}{}", " ".repeat(n - text.len()));
        Policy::parse(&fill(kind.max_len()), kind).unwrap();
        let error = Policy::parse(&fill(kind.max_len() + 1), kind).unwrap_err();
        assert_eq!(error, InvalidPolicy::TooLong(kind.max_len()));
    }
}

const SYNTAX: &str = "Syntax errors in policy.";

/// Asserts what is said of statements of these kinds with one element set, or removed.
fn assert_said(kinds: &[Kind], element: &str, value: &Value, expected: &str) {
    for kind in kinds {
        let statement = with(*kind, element, value.clone());
        let said = refusal(*kind, &statement);
        assert_eq!(said, expected, "{kind:?} {element} {value}");
    }
}

#[test]
fn elements_have_their_types() {
    let legacy = "The policy failed legacy parsing";
    let actions = "Policy statement must contain actions.";
    for (element, value, expected) in [
        ("Effect", Value::Null, SYNTAX),
        ("Effect", json!("allow"), legacy),
        ("Effect", json!(["Allow"]), SYNTAX),
        ("Action", Value::Null, actions),
        ("Action", json!([]), actions),
        ("Action", json!({}), SYNTAX),
        ("Action", json!([1]), SYNTAX),
        ("NotAction", json!("sts:AssumeRole"), SYNTAX),
        ("Sid", json!(1), SYNTAX),
        ("Sid", json!(""), "taken"),
        ("Sid", json!("Fits1"), "taken"),
        ("Unknown", json!("x"), SYNTAX),
        ("Condition", json!([]), SYNTAX),
        ("Condition", json!({}), "taken"),
    ] {
        assert_said(&KINDS, element, &value, expected);
    }
}

#[test]
fn resources_are_named_where_there_are_several() {
    use Kind::{Identity, Registry, Repository, Session, Trust};
    let missing = "Policy statement must contain resources.";
    for kind in [Identity, Session, Registry] {
        assert_said(&[kind], "Resource", &Value::Null, missing);
        assert_said(&[kind], "Resource", &json!([]), missing);
        assert_said(&[kind], "NotResource", &json!("*"), SYNTAX);
    }
    assert_said(&[Repository], "Resource", &Value::Null, "taken");
    assert_said(&[Repository], "Resource", &json!("*"), "taken");
    assert_said(&[Repository], "Resource", &json!([]), missing);
    let arns = json!("arn:aws:ecr:*:*:*");
    assert_said(&[Repository], "NotResource", &arns, "taken");
    for element in ["Resource", "NotResource"] {
        assert_said(&[Trust], element, &arns, "Has prohibited field Resource");
    }
}

#[test]
fn principals_are_named_where_a_policy_is_not_its_holders() {
    let attached = [Kind::Identity, Kind::Session];
    let named = [Kind::Trust, Kind::Repository, Kind::Registry];
    let principal = json!({"AWS": HERE});
    for element in ["Principal", "NotPrincipal"] {
        let expected = "Policy document should not specify a principal.";
        assert_said(&attached, element, &principal, expected);
    }
    let missing = "Missing required field Principal";
    assert_said(&named, "Principal", &Value::Null, missing);
    assert_said(&named, "Principal", &json!({}), missing);
    assert_said(&named, "Principal", &json!({"AWS": []}), missing);
    assert_said(&named, "Principal", &json!("everybody"), SYNTAX);
    assert_said(&named, "NotPrincipal", &principal, SYNTAX);
}

#[test]
fn a_principal_is_excepted_from_denials_in_resource_policies_alone() {
    for (kind, effect, taken) in [
        (Kind::Repository, "Deny", true),
        (Kind::Registry, "Deny", true),
        (Kind::Repository, "Allow", false),
        (Kind::Registry, "Allow", false),
        (Kind::Trust, "Deny", false),
    ] {
        let mut statement = with(kind, "Principal", Value::Null);
        statement["NotPrincipal"] = json!({"AWS": HERE});
        statement["Effect"] = json!(effect);
        assert_eq!(parse(kind, &statement).is_ok(), taken, "{kind:?} {effect}");
    }
}

#[test]
fn sids_are_unique_and_plain_in_iams_policies() {
    let twice = |kind, a: &str, b: &str| {
        refusal(
            kind,
            &json!([with(kind, "Sid", json!(a)), with(kind, "Sid", json!(b))]),
        )
    };
    for kind in KINDS {
        assert_eq!(
            twice(kind, "a", "a"),
            "Statement IDs (SID) in a single policy must be unique."
        );
        assert_eq!(twice(kind, "a", "A"), "taken");
        assert_eq!(twice(kind, "", ""), "taken");
        let strict = matches!(kind, Kind::Identity | Kind::Session | Kind::Trust);
        let taken = twice(kind, "with space", "é") == "taken";
        assert_eq!(taken, !strict, "{kind:?}");
    }
}

#[test]
fn actions_name_a_service() {
    for (action, expected) in [
        ("*", "taken"),
        ("ecr:*", "taken"),
        ("ecr-public:Get?", "taken"),
        ("ecr:", "taken"),
        (
            "ecr",
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            "",
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            "**",
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        ("ecr:a:b", "Actions/Condition can contain only one colon."),
        ("e*:Get", "Vendor e* is not valid"),
        ("*:*", "Vendor * is not valid"),
        (":Get", "Vendor  is not valid"),
    ] {
        for element in ["Action", "NotAction"] {
            let mut statement = with(Kind::Identity, "Action", Value::Null);
            statement[element] = json!(["ecr:PutImage", action]);
            assert_eq!(
                refusal(Kind::Identity, &statement),
                expected,
                "{element} {action}"
            );
        }
    }
}

#[test]
fn policies_of_roles_and_of_ecr_are_about_their_service() {
    for (kind, action, taken) in [
        (Kind::Trust, "sts:AssumeRole", true),
        (Kind::Trust, "STS:TagSession", true),
        (Kind::Trust, "*", false),
        (Kind::Trust, "iam:CreateUser", false),
        (Kind::Repository, "*", true),
        (Kind::Repository, "ecr:*", true),
        (Kind::Repository, "ecr-public:*", true),
        (Kind::Repository, "s3:*", false),
        (Kind::Registry, "ecr:ReplicateImage", true),
        (Kind::Registry, "ecr-public:*", false),
        (Kind::Registry, "sts:AssumeRole", false),
    ] {
        let statement = with(kind, "Action", json!([action]));
        assert_eq!(parse(kind, &statement).is_ok(), taken, "{kind:?} {action}");
    }
}

#[test]
fn resources_are_arns() {
    for (resource, expected) in [
        ("*", "taken"),
        ("arn:aws:s3:::example_bucket", "taken"),
        ("arn:aws:ecr:*", "taken"),
        (
            "invalid resource",
            "Resource invalid resource must be in ARN format or \"*\".",
        ),
        ("**", "Resource ** must be in ARN format or \"*\"."),
        ("", "Resource  must be in ARN format or \"*\"."),
        (
            "${aws:username}",
            "Resource ${aws:username} must be in ARN format or \"*\".",
        ),
    ] {
        for element in ["Resource", "NotResource"] {
            let mut statement = with(Kind::Identity, "Resource", Value::Null);
            statement[element] = json!(["arn:aws:ecr:*:*:repository/x", resource]);
            assert_eq!(
                refusal(Kind::Identity, &statement),
                expected,
                "{element} {resource}"
            );
        }
    }
}

#[test]
fn conditions_have_known_operators_and_fitting_values() {
    let legacy = "The policy failed legacy parsing";
    for (operator, value, expected) in [
        ("StringEquals", json!("x"), "taken"),
        ("StringEquals", json!([]), "taken"),
        ("StringEquals", json!(["a", 1, true]), "taken"),
        ("StringEquals", json!(null), "Syntax errors in policy."),
        ("StringEquals", json!({}), "Syntax errors in policy."),
        ("StringEquals", json!([["a"]]), "Syntax errors in policy."),
        (
            "stringequals",
            json!("x"),
            "Invalid Condition type : stringequals",
        ),
        (
            "StringMatches",
            json!("x"),
            "Invalid Condition type : StringMatches",
        ),
        (
            "ForAllValues:",
            json!("x"),
            "Invalid Condition type : ForAllValues:",
        ),
        (
            "ForSomeValues:StringLike",
            json!("x"),
            "Invalid Condition type : ForSomeValues:StringLike",
        ),
        (
            "NullIfExists",
            json!("true"),
            "Invalid Condition type : NullIfExists",
        ),
        (
            "ForAnyValue:Null",
            json!("true"),
            "Invalid Condition type : ForAnyValue:Null",
        ),
        (
            "NumericNotLessThan",
            json!(1),
            "Invalid Condition type : NumericNotLessThan",
        ),
        ("NumericLessThan", json!("one"), legacy),
        ("NumericLessThan", json!(1e300), legacy),
        ("DateLessThan", json!("tomorrow"), legacy),
        ("Bool", json!("yes"), legacy),
        ("Null", json!("maybe"), legacy),
        ("BinaryEquals", json!("not base64!"), legacy),
        ("IpAddress", json!("10.0.0.0/33"), legacy),
        ("IpAddress", json!("${aws:SourceIp}"), legacy),
        (
            "ForAnyValue:DateLessThanEqualsIfExists",
            json!("2020-01-01"),
            "taken",
        ),
    ] {
        let statement = with(
            Kind::Identity,
            "Condition",
            json!({operator: {"aws:x": value}}),
        );
        assert_eq!(
            refusal(Kind::Identity, &statement),
            expected,
            "{operator} {value}"
        );
    }
    for key in ["aws", "", "aws:", ":x", "aws:x*"] {
        let statement = with(
            Kind::Identity,
            "Condition",
            json!({"StringEquals": {key: "x"}}),
        );
        assert!(parse(Kind::Identity, &statement).is_err(), "{key}");
    }
}

#[test]
fn what_a_policy_is_about_can_be_listed() {
    let policy = parse(Kind::Identity, &json!([
        {"Effect": "Allow", "Action": ["ecr:PutImage", "ECR:Get*"], "Resource": "arn:aws:s3:::${aws:username}",
         "Condition": {"StringLike": {"aws:SourceIp": "${aws:PrincipalTag/x, 'y'}"}}},
        {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*", "Condition": {"Null": {"AWS:sourceip": "true"}}},
    ])).unwrap();
    assert_eq!(
        policy.actions().collect::<Vec<_>>(),
        ["ecr:putimage", "ecr:get*", "*"]
    );
    assert_eq!(
        policy.context_keys(),
        ["aws:username", "aws:SourceIp", "aws:PrincipalTag/x"]
    );
}
