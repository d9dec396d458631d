//! The operations that the server has, read from its own tables, so that none is left out.

const JSON: &str = include_str!("../../../src/aws/table.rs");
const QUERY: &str = include_str!("../../../src/aws/query/table.rs");

/// The operations of a service that are signed.
pub(super) fn operations(service: &str) -> Vec<String> {
    let found: Vec<String> = match service {
        "iam" => of_query("const IAM"),
        "sts" => of_query("const STS"),
        _ => of_json(&format!("fn {service}(")),
    };
    assert!(
        found.len() > 1,
        "the table of {service} is not where it was"
    );
    found
}

/// The operations of STS that nobody signs.
pub(super) fn unsigned() -> Vec<String> {
    of_query("const UNSIGNED")
}

/// The lines `"NAME" => run::<…>` of a function.
fn of_json(function: &str) -> Vec<String> {
    let (_, from) = JSON.split_once(function).unwrap();
    let (table, _) = from.split_once("\n}\n").unwrap();
    let names = table
        .lines()
        .filter(|line| line.contains("=> run::<") || line.contains("=> run_named::<"));
    names
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect()
}

/// The words `module::NAME` of a list.
fn of_query(list: &str) -> Vec<String> {
    let (_, from) = QUERY.split_once(list).unwrap();
    let (_, from) = from.split_once("operations! {").unwrap();
    let (table, _) = from.split_once('}').unwrap();
    let words = table.split_whitespace();
    words
        .map(|word| word.rsplit("::").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_operation_of_ecr_is_walked() {
    let walked = super::table::ECR.iter().map(|(operation, ..)| *operation);
    assert_walked("ecr", &walked.collect::<Vec<_>>());
    let walked = super::public::OPERATIONS.iter();
    let walked = walked.map(|(operation, ..)| *operation);
    assert_walked("ecr_public", &walked.collect::<Vec<_>>());
}

fn assert_walked(service: &str, walked: &[&str]) {
    let mut built = operations(service);
    // The one whose body is not kept whole has a way of its own.
    assert!(
        include_str!("../../../src/aws.rs").contains(r#"const STREAMED: &str = "UploadLayerPart""#)
    );
    built.push("UploadLayerPart".to_owned());
    built.sort();
    assert_eq!(built, walked);
}

#[test]
fn every_operation_that_ecr_has_not_is_walked() {
    let walked: Vec<&str> = super::table::LONGSHORE
        .iter()
        .map(|(operation, ..)| *operation)
        .collect();
    assert_eq!(operations("longshore"), walked);
}

#[test]
fn nobody_signs_what_makes_somebody_of_nobody() {
    assert_eq!(unsigned(), ["AssumeRoleWithWebIdentity"]);
}
