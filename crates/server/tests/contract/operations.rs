//! Which operations there are: `docs/ecr-coverage.md` is what the server answers, and a test writes it.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, sync::LazyLock};

use serde_json::json;

use crate::{
    api,
    model::{MODEL, Model, PUBLIC},
    scene::Scene,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ecr-coverage.md");
/// With it in the environment, the test writes the document.
const WRITE: &str = "LONGSHORE_WRITE_COVERAGE";
const HEAD: &str = "# Coverage of the ECR APIs

Written by a test from what the server answers (`every_operation_works_or_is_unknown`): an operation that is not built yet
answers `UnknownOperationException`, and every one that works is held against the service model with each of its members,
constraints and errors.
";

/// The document as it is.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| fs::read_to_string(FILE).unwrap_or_default());
/// The operations of private registries that work.
pub(crate) static BUILT: LazyLock<Vec<&str>> = LazyLock::new(|| works("Amazon ECR"));

/// The operations that the document says work, of one service.
pub(crate) fn works(service: &str) -> Vec<&'static str> {
    let title = format!("## {service}:");
    let lines = DOCUMENT.lines();
    lines
        .skip_while(|line| !line.starts_with(&title))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" | works |"))
        .collect()
}

/// What an operation answers to an empty input says whether there is one.
fn is_known(scene: &Scene, service: &str, target: &str, operation: &str) -> bool {
    let target = format!("{target}.{operation}");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
    ];
    let answer = api::post(scene.connect(), service, &headers, "{}").unwrap();
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, &body["__type"]) != (404, &json!("UnknownOperationException"))
}

/// The part of the document about one service.
fn section(name: &str, model: &Model, known: impl Fn(&str) -> bool) -> String {
    let operations: BTreeMap<&str, bool> = model
        .operations
        .keys()
        .map(|operation| (operation.as_str(), known(operation)))
        .collect();
    let work = operations.values().filter(|known| **known).count();
    let mut text = format!(
        "\n## {name}: {work} of {} operations\n\n| operation | |\n|---|---|\n",
        operations.len()
    );
    for (operation, known) in operations {
        let word = if known { "works" } else { "not yet" };
        writeln!(text, "| {operation} | {word} |").unwrap();
    }
    text
}

#[test]
fn every_operation_works_or_is_unknown() {
    let scene = Scene::open();
    assert_eq!((MODEL.operations.len(), PUBLIC.operations.len()), (58, 23));
    let private = |operation: &str| {
        let target = "AmazonEC2ContainerRegistry_V20150921";
        is_known(&scene, "ecr", target, operation)
    };
    let public =
        |operation: &str| is_known(&scene, "ecr-public", "SpencerFrontendService", operation);
    let document = [
        HEAD,
        &section("Amazon ECR", &MODEL, private),
        &section("Amazon ECR Public", &PUBLIC, public),
    ]
    .concat();
    if env::var_os(WRITE).is_some() {
        fs::write(FILE, &document).unwrap();
    }
    let kept = fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == document,
        "docs/ecr-coverage.md says something else than the server: run this test with {WRITE}=1"
    );
}

/// Everything that drives the real clients.
fn client_cases() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let folders = ["crates/clients/tests/it/clients", "tests/clients/boto3"];
    let files = folders.map(|folder| fs::read_dir(format!("{root}/{folder}")).unwrap());
    let files = files.into_iter().flatten();
    files
        .filter_map(|file| fs::read_to_string(file.unwrap().path()).ok())
        .collect()
}

/// `PutImage` with the words apart.
fn words(operation: &str, between: &str) -> String {
    let mut text = String::new();
    for letter in operation.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push_str(between);
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[test]
fn every_operation_that_works_is_called_by_the_aws_cli_and_by_boto3() {
    let cases = client_cases();
    let operations = works("Amazon ECR")
        .into_iter()
        .chain(works("Amazon ECR Public"));
    let missing: Vec<String> = operations
        .flat_map(|operation| [words(operation, "-"), words(operation, "_")])
        .filter(|name| !cases.contains(name))
        .collect();
    assert!(missing.is_empty(), "no client calls {missing:?}");
}

#[test]
fn an_operation_that_no_model_has_is_unknown() {
    let scene = Scene::open();
    for operation in ["", "Nonsense", "putImage", "PutImage.", "PutImage2"] {
        let answer = scene.send(operation, &json!({}));
        assert_eq!(
            (answer.status, answer.code()),
            (404, "UnknownOperationException"),
            "{operation}"
        );
    }
}
