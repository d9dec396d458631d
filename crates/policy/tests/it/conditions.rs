//! Condition operators: what each says of values, of absent keys and of several values.

use longshore_policy::Context;
use serde_json::{Value, json};

use crate::world::*;

/// Whether a statement with this condition applies when `key` has these values.
fn holds(operator: &str, wanted: &Value, values: &[&'static str]) -> bool {
    let mut world = World::new()
        .identity(&json!({"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {operator: {"aws:Key": wanted}}}));
    world.context = values.iter().map(|value| ("aws:Key", *value)).collect();
    let allowed = world.allows(&ALICE);
    // The same condition on a denial denies exactly when it allowed above.
    let denial = json!([everything(), {"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {operator: {"AWS:kEY": wanted}}}]);
    assert_eq!(
        world.identity(&denial).allows(&ALICE),
        !allowed,
        "{operator} {wanted} on {values:?}"
    );
    allowed
}

/// Asserts that the operator holds for the value, and its opposite, if it has one, does not; or the other way round.
fn assert_holds(operator: &str, wanted: &Value, value: &'static str, expected: bool) {
    assert_eq!(
        holds(operator, wanted, &[value]),
        expected,
        "{operator} {wanted} on {value:?}"
    );
    let opposite = match operator {
        "IpAddress" => "NotIpAddress".to_owned(),
        "Bool" | "BinaryEquals" => return,
        other if other.contains("Than") => return,
        other => other
            .replace("Equals", "NotEquals")
            .replace("Like", "NotLike"),
    };
    assert_eq!(
        holds(&opposite, wanted, &[value]),
        !expected,
        "{opposite} {wanted} on {value:?}"
    );
}

#[test]
fn texts() {
    for (operator, wanted, value, expected) in [
        ("StringEquals", json!("blue"), "blue", true),
        ("StringEquals", json!("blue"), "Blue", false),
        ("StringEquals", json!("blue"), "blue ", false),
        ("StringEquals", json!("b*"), "blue", false),
        ("StringEquals", json!("b*"), "b*", true),
        ("StringEquals", json!(""), "", true),
        ("StringEquals", json!(["red", "blue"]), "blue", true),
        ("StringEquals", json!([]), "blue", false),
        ("StringEquals", json!(true), "true", true),
        ("StringEquals", json!(12), "12", true),
        ("StringEqualsIgnoreCase", json!("Blue"), "bLUE", true),
        ("StringEqualsIgnoreCase", json!("GRÜN"), "grün", true),
        ("StringEqualsIgnoreCase", json!("blue"), "blu", false),
        ("StringLike", json!("b*e"), "blue", true),
        ("StringLike", json!("b?e"), "blue", false),
        ("StringLike", json!("B*"), "blue", false),
        ("StringLike", json!("gr?n"), "grün", true),
        ("StringLike", json!("gr??n"), "grün", false),
        ("StringLike", json!(["x", "*"]), "", true),
        ("StringLike", json!("?"), "", false),
    ] {
        assert_holds(operator, &wanted, value, expected);
    }
}

#[test]
fn numbers() {
    for (operator, wanted, value, expected) in [
        ("NumericEquals", json!(10), "10.0", true),
        ("NumericEquals", json!("10"), "11", false),
        ("NumericEquals", json!(10), "ten", false),
        ("NumericLessThan", json!("10"), "9", true),
        ("NumericLessThan", json!("10"), "10", false),
        ("NumericLessThan", json!(["1", "20"]), "10", true),
        ("NumericLessThanEquals", json!("10"), "10", true),
        ("NumericLessThanEquals", json!("10"), "10.01", false),
        ("NumericGreaterThan", json!("-1.5"), "-1", true),
        ("NumericGreaterThan", json!("9"), "10", true),
        ("NumericGreaterThan", json!("10"), "10", false),
        ("NumericGreaterThanEquals", json!(0.5), "0.5", true),
        ("NumericGreaterThanEquals", json!("10"), "ten", false),
    ] {
        assert_holds(operator, &wanted, value, expected);
    }
}

#[test]
fn dates() {
    for (operator, wanted, value, expected) in [
        (
            "DateEquals",
            json!("2020-04-01T00:00:00Z"),
            "2020-04-01T02:00:00+02:00",
            true,
        ),
        (
            "DateEquals",
            json!("1585699200"),
            "2020-04-01T00:00:00Z",
            true,
        ),
        ("DateEquals", json!("2020-04-01"), "2020-04-02", false),
        (
            "DateLessThan",
            json!("2020-06-30T23:59:59Z"),
            "2020-06-30T23:59:58.999Z",
            true,
        ),
        (
            "DateLessThan",
            json!("2020-06-30T23:59:59Z"),
            "2020-06-30T23:59:59Z",
            false,
        ),
        (
            "DateLessThanEquals",
            json!("2020-06-30T23:59:59Z"),
            "2020-06-30T23:59:59Z",
            true,
        ),
        (
            "DateGreaterThan",
            json!("2020-01-01T00:00:01Z"),
            "1577836802",
            true,
        ),
        ("DateGreaterThan", json!(1_577_836_802), "1577836802", false),
        (
            "DateGreaterThanEquals",
            json!(1_577_836_802),
            "1577836802",
            true,
        ),
        ("DateGreaterThan", json!("2020-01-01"), "yesterday", false),
    ] {
        assert_holds(operator, &wanted, value, expected);
    }
}

#[test]
fn truths_bytes_and_addresses() {
    for (operator, wanted, value, expected) in [
        ("Bool", json!("true"), "true", true),
        ("Bool", json!(true), "TRUE", true),
        ("Bool", json!("False"), "true", false),
        ("Bool", json!("false"), "no", false),
        ("Bool", json!(["true", "false"]), "false", true),
        (
            "BinaryEquals",
            json!("QmluYXJ5VmFsdWVJbkJhc2U2NA=="),
            "QmluYXJ5VmFsdWVJbkJhc2U2NA==",
            true,
        ),
        (
            "BinaryEquals",
            json!("QmluYXJ5VmFsdWVJbkJhc2U2NA=="),
            "QmluYXJ5",
            false,
        ),
        ("IpAddress", json!("203.0.113.0/24"), "203.0.113.9", true),
        ("IpAddress", json!("203.0.113.0/24"), "203.0.114.9", false),
        (
            "IpAddress",
            json!(["203.0.113.0/24", "2001:DB8:1234:5678::/64"]),
            "2001:db8:1234:5678::9",
            true,
        ),
        ("IpAddress", json!("203.0.113.9"), "203.0.113.9", true),
        ("IpAddress", json!("0.0.0.0/0"), "not an address", false),
    ] {
        assert_holds(operator, &wanted, value, expected);
    }
}

#[test]
fn arns() {
    let finance = "arn:aws:someservice:*:111122223333:finance/*";
    let store =
        "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt";
    for operator in ["ArnEquals", "ArnLike"] {
        assert_holds(operator, &json!(finance), store, false);
        assert_holds(
            operator,
            &json!(finance),
            "arn:aws:someservice:us-east-2:111122223333:finance/a",
            true,
        );
        assert_holds(
            operator,
            &json!(finance),
            "arn:aws:someservice:us-east-2:111122223333:Finance/a",
            false,
        );
        assert_holds(operator, &json!(finance), "finance", false);
    }
    assert_holds("StringLike", &json!(finance), store, true);
}

/// "If the key is not present, the condition is false", true for negated operators and with `IfExists`.
#[test]
fn absent_keys() {
    for (operator, wanted, expected) in [
        ("StringEquals", "a", false),
        ("StringLike", "*", false),
        ("StringNotEquals", "a", true),
        ("StringNotEqualsIgnoreCase", "a", true),
        ("StringNotLike", "*", true),
        ("NumericEquals", "1", false),
        ("NumericNotEquals", "1", true),
        ("NumericLessThan", "1", false),
        ("DateNotEquals", "2020-01-01", true),
        ("DateGreaterThan", "2020-01-01", false),
        ("Bool", "false", false),
        ("BinaryEquals", "QQ==", false),
        ("IpAddress", "0.0.0.0/0", false),
        ("NotIpAddress", "0.0.0.0/0", true),
        ("ArnLike", "arn:*:*:*:*:*", false),
        ("ArnNotLike", "arn:*:*:*:*:*", true),
        ("ArnNotEquals", "arn:*:*:*:*:*", true),
    ] {
        assert_eq!(holds(operator, &json!(wanted), &[]), expected, "{operator}");
        assert!(
            holds(&format!("{operator}IfExists"), &json!(wanted), &[]),
            "{operator}IfExists"
        );
        assert!(
            holds(&format!("ForAllValues:{operator}"), &json!(wanted), &[]),
            "{operator} for all"
        );
        assert!(
            !holds(&format!("ForAnyValue:{operator}"), &json!(wanted), &[]),
            "{operator} for any"
        );
        assert!(holds(
            &format!("ForAnyValue:{operator}IfExists"),
            &json!(wanted),
            &[]
        ));
    }
    for (wanted, values, expected) in [
        (json!("true"), &[][..], true),
        (json!("false"), &[], false),
        (json!(true), &["a"], false),
        (json!(false), &["a"], true),
        (json!("true"), &[""], true),
        (json!(["true", "false"]), &["a"], true),
    ] {
        assert_eq!(
            holds("Null", &wanted, values),
            expected,
            "{wanted} on {values:?}"
        );
    }
}

#[test]
fn if_exists_changes_nothing_for_a_key_that_is_there() {
    assert!(!holds("StringEqualsIfExists", &json!("a"), &["b"]));
    assert!(holds("StringEqualsIfExists", &json!("a"), &["a"]));
    assert!(!holds("StringNotEqualsIfExists", &json!("a"), &["a"]));
    assert!(!holds("BoolIfExists", &json!("false"), &["true"]));
}

/// "Evaluation logic for multiple values with condition set operators": the tables of the IAM User Guide.
#[test]
fn several_values() {
    let attributes = json!(["PostDateTime", "Message", "Tags"]);
    let all = |values: &[&'static str]| holds("ForAllValues:StringEquals", &attributes, values);
    assert!(!all(&["PostDateTime", "UserName"]));
    assert!(all(&["Message", "Tags"]));
    assert!(all(&["Tags"]));
    assert!(all(&[]));
    assert!(all(&[""]));
    let forbidden = json!(["ID", "PostDateTime"]);
    let any = |values: &[&'static str]| holds("ForAnyValue:StringEquals", &forbidden, values);
    assert!(any(&["UserName", "Message", "PostDateTime"]));
    assert!(any(&["PostDateTime", "Message"]));
    assert!(!any(&["UserName"]));
    assert!(!any(&[]));
    assert!(!any(&[""]));

    for (operator, values, expected) in [
        // Every value must differ from all, or one from all.
        (
            "ForAllValues:StringNotEquals",
            &["UserName", "Message"][..],
            true,
        ),
        ("ForAllValues:StringNotEquals", &["UserName", "ID"], false),
        ("ForAnyValue:StringNotEquals", &["UserName", "ID"], true),
        (
            "ForAnyValue:StringNotEquals",
            &["PostDateTime", "ID"],
            false,
        ),
    ] {
        assert_eq!(
            holds(operator, &forbidden, values),
            expected,
            "{operator} on {values:?}"
        );
    }
}

/// A key that should have one value and has several is taken the stricter way: all must fit to allow, one to deny.
#[test]
fn several_values_without_a_set_operator() {
    for (operator, values, allows, denies) in [
        ("StringEquals", ["red", "blue"], true, true),
        ("StringEquals", ["red", "green"], false, true),
        ("StringEquals", ["green", "white"], false, false),
        ("StringNotEquals", ["red", "blue"], false, false),
        ("StringNotEquals", ["red", "green"], false, true),
        ("StringNotEquals", ["green", "white"], true, true),
    ] {
        let statement = |effect: &str| {
            json!({"Effect": effect, "Action": "*", "Resource": "*",
                "Condition": {operator: {"aws:ResourceTag/Team": ["red", "blue"]}}})
        };
        let world = World::new()
            .with("aws:ResourceTag/Team", values[0])
            .with("aws:ResourceTag/team", values[1]);
        let allowing = world.clone().identity(&statement("Allow"));
        assert_eq!(allowing.allows(&ALICE), allows, "{operator} on {values:?}");
        let denying = world.identity(&json!([everything(), statement("Deny")]));
        assert_eq!(denying.allows(&ALICE), !denies, "{operator} on {values:?}");
    }
}

/// Negated operators with several values hold when none matches.
#[test]
fn several_wanted_values_of_a_negated_operator() {
    let accounts = json!(["111111111111", "222222222222"]);
    assert!(!holds("StringNotEquals", &accounts, &["222222222222"]));
    assert!(holds("StringNotEquals", &accounts, &["333333333333"]));
    assert!(!holds(
        "NotIpAddress",
        &json!(["10.0.0.0/8", "192.168.0.0/16"]),
        &["192.168.1.1"]
    ));
}

#[test]
fn all_keys_and_operators_must_hold() {
    let world = World::new().identity(
        &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
        "StringEqualsIgnoreCase": {
            "aws:PrincipalTag/department": ["finance", "hr", "legal"],
            "aws:PrincipalTag/role": ["audit", "security"]},
        "StringEquals": {"aws:PrincipalAccount": "123456789012"}}}),
    );
    let context = |department, role, account| {
        let mut world = world.clone();
        world.context = Context::from_iter([
            ("aws:principaltag/Department", department),
            ("AWS:PrincipalTag/ROLE", role),
            ("aws:PrincipalAccount", account),
        ]);
        world.allows(&ALICE)
    };
    assert!(context("HR", "audit", "123456789012"));
    assert!(!context("it", "audit", "123456789012"));
    assert!(!context("hr", "admin", "123456789012"));
    assert!(!context("hr", "audit", "123456789013"));
}

#[test]
fn a_context_is_a_multimap_without_case() {
    let mut context = Context::new()
        .with("aws:TagKeys", "a")
        .with("AWS:tagkeys", "b");
    assert_eq!(
        context.values("aws:tagKeys").collect::<Vec<_>>(),
        ["a", "b"]
    );
    context.set("AWS:TAGKEYS", "c");
    assert_eq!(context.iter().collect::<Vec<_>>(), [("AWS:TAGKEYS", "c")]);
    context.extend([("ecr:AccountSetting", "X".to_owned())]);
    context.remove("aws:tagkeys");
    assert!(!context.contains("aws:TagKeys") && context.contains("ECR:accountsetting"));
    assert!(!context.contains("ecr:AccountSettin\u{17f}"));
}
