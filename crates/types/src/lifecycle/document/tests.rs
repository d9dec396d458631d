use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn policy(rules: &[Value]) -> Result<LifecyclePolicy> {
    json!({ "rules": rules }).to_string().parse()
}

fn rule(priority: u32, selection: &Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn any(priority: u32) -> Value {
    rule(
        priority,
        &json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}),
    )
}

fn untagged(priority: u32) -> Value {
    rule(
        priority,
        &json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}),
    )
}

fn tagged(priority: u32, kind: &str, list: &[&str]) -> Value {
    let mut rule = rule(
        priority,
        &json!({"tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 3}),
    );
    rule["selection"][kind] = json!(list);
    rule
}

fn archived(priority: u32, days: u32) -> Value {
    rule(
        priority,
        &json!({"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": days}),
    )
}

fn transition(priority: u32, count: &str) -> Value {
    let mut rule = untagged(priority);
    rule["selection"]["countType"] = json!(count);
    rule["action"] = json!({"type": "transition", "targetStorageClass": "archive"});
    rule
}

/// A rule with one member replaced, or taken away.
fn with(mut rule: Value, path: &str, value: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = rule.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(name)),
        value => drop(parent.insert(name.to_owned(), value)),
    }
    rule
}

#[track_caller]
fn assert_reason(rules: &[Value], reason: &str) {
    assert_eq!(
        policy(rules).unwrap_err().to_string(),
        format!("Lifecycle policy validation failure: {reason}"),
        "{rules:?}"
    );
}

#[test]
fn rules_are_read_in_order_of_priority_with_gaps() {
    let mut first = tagged(1, "tagPrefixList", &["v", "release-"]);
    first["description"] = json!("");
    let read = policy(&[
        any(700),
        untagged(30),
        with(first, "/selection/storageClass", json!("standard")),
        tagged(2, "tagPatternList", &["*test*1*2*3"]),
    ])
    .unwrap();
    let rule = |priority, selection, condition| Rule {
        priority,
        class: Class::Standard,
        selection,
        excluded: Vec::new(),
        condition,
        action: Action::Expire,
    };
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    assert_eq!(
        read.rules(),
        [
            rule(
                1,
                Selection::Prefixes(texts(&["v", "release-"])),
                Condition::CountMoreThan(3)
            ),
            rule(
                2,
                Selection::Patterns(texts(&["*test*1*2*3"])),
                Condition::CountMoreThan(3)
            ),
            rule(30, Selection::Untagged, Condition::PushedDaysAgo(14)),
            rule(700, Selection::Any, Condition::CountMoreThan(1)),
        ]
    );
}

#[test]
fn what_is_no_object_is_no_policy() {
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"rules\"",
        "7",
        "{} {}",
        "\u{feff}{}",
    ] {
        assert_eq!(
            text.parse::<LifecyclePolicy>().unwrap_err().to_string(),
            "Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy.",
            "{text}"
        );
    }
}

#[test]
fn rules_are_a_list_of_1_to_50() {
    let reason = |document: Value| {
        let refused = document.to_string().parse::<LifecyclePolicy>();
        refused.unwrap_err().to_string()
    };
    let failure = "Lifecycle policy validation failure: ";
    for document in [json!({}), json!({"rules": {}}), json!({"rules": null})] {
        assert_eq!(
            reason(document),
            format!(r#"{failure}object has missing required properties (["rules"])"#)
        );
    }
    assert_eq!(
        reason(json!({"rules": [any(1)], "version": 1})),
        format!(
            r#"{failure}object instance has properties which are not allowed by the schema: (["version"])"#
        )
    );
    assert_reason(
        &[],
        "array is too short: must have at least 1 elements but instance has 0 elements",
    );
    let many = |n: u32| -> Vec<Value> {
        let rule = |idx| tagged(idx, "tagPrefixList", &[&format!("v{idx}.")]);
        (1..=n).map(rule).collect()
    };
    assert_eq!(policy(&many(50)).unwrap().rules().len(), 50);
    assert_reason(
        &many(51),
        "array is too long: must have at most 50 elements but instance has 51 elements",
    );
}

#[test]
fn members_that_must_be_there_and_those_that_nobody_knows_are_named() {
    for (path, missing) in [
        ("/rulePriority", "rulePriority"),
        ("/selection", "selection"),
        ("/action", "action"),
        ("/action/type", "type"),
        ("/selection/tagStatus", "tagStatus"),
        ("/selection/countType", "countType"),
        ("/selection/countNumber", "countNumber"),
    ] {
        assert_reason(
            &[with(any(1), path, Value::Null)],
            &format!(r#"object has missing required properties (["{missing}"])"#),
        );
    }
    for path in ["/x", "/action/x", "/selection/x"] {
        assert_reason(
            &[with(any(1), path, json!(1))],
            r#"object instance has properties which are not allowed by the schema: (["x"])"#,
        );
    }
    assert_reason(
        &[json!({})],
        r#"object has missing required properties (["action", "rulePriority", "selection"])"#,
    );
}

#[test]
fn values_are_of_their_type_and_within_their_bounds() {
    for (path, value, found, allowed) in [
        ("/rulePriority", json!("1"), "string", "integer"),
        ("/rulePriority", json!(1.0), "number", "integer"),
        ("/description", json!(7), "integer", "string"),
        ("/selection", json!([]), "array", "object"),
        ("/action", json!("expire"), "string", "object"),
        ("/action/type", json!(true), "boolean", "string"),
        ("/selection/tagStatus", json!({}), "object", "string"),
        ("/selection/countNumber", json!(0.5), "number", "integer"),
    ] {
        assert_reason(
            &[with(any(1), path, value)],
            &format!(
                r#"instance type ({found}) does not match any allowed primitive type (allowed: ["{allowed}"])"#
            ),
        );
    }
    assert_reason(
        &[json!("rule")],
        r#"instance type (string) does not match any allowed primitive type (allowed: ["object"])"#,
    );
    for path in ["/rulePriority", "/selection/countNumber"] {
        for found in [0, -1, i64::MIN] {
            assert_reason(
                &[with(any(1), path, json!(found))],
                &format!(
                    "numeric instance is lower than the required minimum (minimum: 1, found: {found})"
                ),
            );
        }
        for found in [1 << 31, u64::MAX] {
            assert_reason(
                &[with(any(1), path, json!(found))],
                &format!(
                    "numeric instance is greater than the required maximum (maximum: 2147483647, found: {found})"
                ),
            );
        }
        assert!(policy(&[with(any(1), path, json!(i32::MAX))]).is_ok());
    }
}

#[test]
fn words_are_those_of_their_enum() {
    for (path, words) in [
        ("/action/type", r#""expire""#),
        ("/selection/tagStatus", r#""any", "tagged", "untagged""#),
        ("/selection/countUnit", r#""days""#),
        ("/selection/storageClass", r#""archive", "standard""#),
    ] {
        assert_reason(
            &[with(untagged(1), path, json!("x"))],
            &format!("instance value (x) not found in enum :(possible values: [{words}])"),
        );
    }
    assert_reason(
        &[with(
            transition(1, "sinceImagePushed"),
            "/action/targetStorageClass",
            json!("x"),
        )],
        r#"instance value (x) not found in enum :(possible values: ["archive"])"#,
    );
}

#[test]
fn units_and_target_classes_go_with_their_kinds_only() {
    for rule in [
        with(any(1), "/selection/countType", json!("x")),
        with(any(1), "/selection/countUnit", json!("days")),
        with(untagged(1), "/selection/countUnit", Value::Null),
        with(any(1), "/action/targetStorageClass", json!("archive")),
        with(
            transition(1, "sinceImagePushed"),
            "/action/targetStorageClass",
            Value::Null,
        ),
    ] {
        assert_reason(
            &[rule],
            "instance failed to match exactly one schema (matched 0 out of 2)",
        );
    }
    // As Terraform modules send it.
    let null = json!({"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan",
        "countUnit": null, "countNumber": 1}, "action": {"type": "expire"}});
    assert_reason(
        &[null],
        "instance failed to match exactly one schema (matched 0 out of 2)",
    );
}

#[test]
fn tagged_images_are_selected_by_one_list_and_others_by_none() {
    let (pattern, prefix) = ("tagPatternList", "tagPrefixList");
    let bare = with(
        tagged(1, prefix, &["v"]),
        "/selection/tagPrefixList",
        Value::Null,
    );
    assert_reason(
        &[bare],
        "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
    );
    assert_reason(
        &[with(
            tagged(1, prefix, &["v"]),
            "/selection/tagPatternList",
            json!(["v*"]),
        )],
        "Must specify only one of tagPrefixList and tagPatternList when tagStatus=TAGGED.",
    );
    for (rule, status) in [(any(1), "ANY"), (untagged(1), "UNTAGGED")] {
        for list in [pattern, prefix] {
            assert_reason(
                &[with(
                    rule.clone(),
                    &format!("/selection/{list}"),
                    json!(["v"]),
                )],
                &format!(
                    "Must not specify tagPrefixList or tagPatternList when tagStatus={status}."
                ),
            );
        }
    }
    for list in [pattern, prefix] {
        assert_reason(
            &[tagged(1, list, &[])],
            "array is too short: must have at least 1 elements but instance has 0 elements",
        );
        assert_reason(
            &[tagged(1, list, &["v", ""])],
            r#"string "" is too short (length: 0, required minimum: 1)"#,
        );
    }
    assert_reason(
        &[tagged(1, pattern, &["v*", "test*1*2*3*4*5*6"])],
        "Tag pattern test*1*2*3*4*5*6 has more than 4 wildcards.",
    );
}

#[test]
fn rules_go_with_each_other() {
    assert_reason(&[any(7), untagged(7)], "Rule priority 7 is not unique.");
    for rules in [[any(1), untagged(2)], [any(1), any(2)]] {
        assert_reason(
            &rules,
            "Rule for tagStatus=ANY must have the lowest priority per storage class",
        );
    }
    assert_reason(
        &[untagged(2), untagged(1), any(3)],
        "Only one rule can select Untagged images per storage class",
    );
    for list in ["tagPatternList", "tagPrefixList"] {
        assert_reason(
            &[
                tagged(1, list, &["a", "b"]),
                tagged(2, list, &["b", "a", "b"]),
            ],
            &format!("Each rule must have a unique {list} per storage class."),
        );
    }
    let differing = [
        tagged(1, "tagPatternList", &["a", "b"]),
        tagged(2, "tagPatternList", &["a"]),
        tagged(3, "tagPrefixList", &["a"]),
    ];
    assert!(policy(&differing).is_ok());
}

#[test]
fn archive_rules_go_with_their_classes() {
    for (rules, expected) in [
        (
            vec![transition(1, "sinceImagePushed")],
            Condition::PushedDaysAgo(14),
        ),
        (
            vec![transition(1, "sinceImagePulled")],
            Condition::PulledDaysAgo(14),
        ),
        // Each class has its own last rule.
        (
            vec![archived(1, 90), any(2)],
            Condition::ArchivedDaysAgo(90),
        ),
        (
            vec![archived(1, 365), transition(2, "sinceImagePulled")],
            Condition::ArchivedDaysAgo(365),
        ),
    ] {
        let read = policy(&rules).unwrap();
        assert_eq!(read.rules()[0].condition, expected);
        let is_archived = matches!(expected, Condition::ArchivedDaysAgo(_));
        let (class, action) = if is_archived {
            (Class::Archive, Action::Expire)
        } else {
            (Class::Standard, Action::Transition)
        };
        assert_eq!(
            (read.rules()[0].class, read.rules()[0].action),
            (class, action)
        );
    }
    assert_reason(
        &[with(
            archived(1, 90),
            "/selection/storageClass",
            Value::Null,
        )],
        "Must specify storageClass=ARCHIVE when countType=SINCE_IMAGE_TRANSITIONED.",
    );
    assert_reason(
        &[with(any(1), "/selection/storageClass", json!("archive"))],
        "storageClass=ARCHIVE is for countType=SINCE_IMAGE_TRANSITIONED only.",
    );
    assert_reason(
        &[archived(1, 89)],
        "countNumber must be at least 90 when countType=SINCE_IMAGE_TRANSITIONED.",
    );
    assert_reason(
        &[with(
            untagged(1),
            "/selection/countType",
            json!("sinceImagePulled"),
        )],
        "countType=SINCE_IMAGE_PULLED is for action type=TRANSITION only.",
    );
    assert_reason(
        &[transition(1, "sinceImageTransitioned")],
        "countType=SINCE_IMAGE_TRANSITIONED is for action type=EXPIRE only.",
    );
}

#[test]
fn what_ecr_has_not_is_named_so_and_checked() {
    let excluding = |rule: Value, patterns: &[&str]| {
        let path = "/selection/x-longshore-excludeTagPatterns";
        with(rule, path, json!(patterns))
    };
    let untagging = |rule| with(rule, "/action/type", json!("x-longshore-untag"));
    let unused = |rule| {
        with(
            rule,
            "/selection/countType",
            json!("x-longshore-sinceImagePulled"),
        )
    };
    let shas = || tagged(1, "tagPatternList", &["sha-*"]);
    let read = policy(&[
        excluding(untagging(shas()), &["v*", "keep"]),
        unused(untagged(2)),
        excluding(any(3), &["v*"]),
    ])
    .unwrap();
    let [untag, unused_rule, last] = read.rules() else {
        panic!("{read:?}")
    };
    assert_eq!(
        (untag.action, untag.excluded.as_slice()),
        (Action::Untag, &["v*".to_owned(), "keep".to_owned()][..])
    );
    assert_eq!(unused_rule.condition, Condition::PulledDaysAgo(14));
    assert_eq!(unused_rule.action, Action::Expire);
    assert!(last.takes(Class::Standard, &["a"]) && !last.takes(Class::Standard, &["a", "v1"]));
    for (rule, reason) in [
        (
            excluding(untagged(1), &["v*"]),
            "Must not specify x-longshore-excludeTagPatterns when tagStatus=UNTAGGED.",
        ),
        (
            excluding(any(1), &[]),
            "array is too short: must have at least 1 elements but instance has 0 elements",
        ),
        (
            excluding(any(1), &["*****"]),
            "Tag pattern ***** has more than 4 wildcards.",
        ),
        (
            untagging(any(1)),
            "action type=X-LONGSHORE-UNTAG is for tagStatus=TAGGED only.",
        ),
        (
            untagging(archived(1, 90)),
            "countType=SINCE_IMAGE_TRANSITIONED is for action type=EXPIRE only.",
        ),
        (
            with(any(1), "/selection/x-longshore-other", json!(1)),
            r#"object instance has properties which are not allowed by the schema: (["x-longshore-other"])"#,
        ),
        (
            with(
                any(1),
                "/selection/countType",
                json!("x-longshore-sinceImagePulled"),
            ),
            "instance failed to match exactly one schema (matched 0 out of 2)",
        ),
    ] {
        assert_reason(&[rule], reason);
    }
}

#[test]
fn what_expires_can_be_brought_back_for_up_to_thirty_days() {
    let read = |hours: Value| {
        let text = json!({"rules": [any(1)], "x-longshore-undoHours": hours}).to_string();
        let policy = text.parse::<LifecyclePolicy>();
        policy.map(|policy| policy.undo().unwrap().as_secs() / 3600)
    };
    assert_eq!((read(json!(1)), read(json!(720))), (Ok(1), Ok(720)));
    assert_eq!(policy(&[any(1)]).unwrap().undo(), None);
    for (hours, reason) in [
        (
            json!(0),
            "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
        ),
        (
            json!(721),
            "numeric instance is greater than the required maximum (maximum: 720, found: 721)",
        ),
        (
            json!("1"),
            r#"instance type (string) does not match any allowed primitive type (allowed: ["integer"])"#,
        ),
    ] {
        let refused = read(hours).unwrap_err().to_string();
        assert!(refused.ends_with(reason), "{refused}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange_to_read(text in "\\PC{0,60}") {
        let _ = text.parse::<LifecyclePolicy>();
        let _ = json!({"rules": [{"rulePriority": 1, "selection": text, "action": text}]}).to_string().parse::<LifecyclePolicy>();
    }
}
