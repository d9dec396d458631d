//! Broken inputs are refused with a documented error, and right ones are taken.

use regex::Regex;
use serde_json::Value;

use super::{
    call::{self, Answer},
    inputs::{minimal, source},
    operations::BUILT,
};
use crate::{
    cases::{self, Breach, Case},
    model::IAM,
    scene::Scene,
};

/// Whether the input is broken in the Query protocol, too: everything is text there, and patterns are what they say.
fn is_breach(operation: &str, case: &Case) -> bool {
    match case.breach {
        Breach::Type => false,
        Breach::Pattern => {
            let (shape, value) = place(operation, case);
            let pattern = shape.replace(r"\w", "A-Za-z0-9_");
            // What looks ahead is left to the tests of its operation.
            Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| !pattern.is_match(&value))
        }
        _ => true,
    }
}

/// The pattern of the member that is broken, and the value that breaks it.
fn place(operation: &str, case: &Case) -> (String, String) {
    let mut shape = IAM.shape(IAM.input(operation));
    let mut value: &Value = &case.input;
    for name in case.at.split('.') {
        shape = IAM.shape(&shape.members[name].shape);
        value = &value[name];
        while let Some(item) = &shape.member {
            shape = IAM.shape(&item.shape);
            value = &value[0];
        }
    }
    let value = value.as_str().unwrap_or_default();
    (shape.pattern.clone().unwrap_or_default(), value.to_owned())
}

/// What was wrong with an answer, if anything.
fn problem(operation: &str, case: &Case, answer: &Answer) -> Option<String> {
    let member = case.at.rsplit('.').next().unwrap();
    let fine = match answer.code.as_str() {
        // The items of a list may be named by themselves.
        "ValidationError" => answer
            .message
            .to_lowercase()
            .contains(&member.trim_end_matches("List").to_lowercase()),
        // The model has two bounds on the names of users that are there; none is as long as the smaller one.
        "NoSuchEntity" => case.breach == Breach::Long && member == "UserName",
        "InvalidInput" | "MalformedPolicyDocument" | "LimitExceeded" => true,
        _ => false,
    };
    let Case { at, breach, input } = case;
    let shown: String = input.to_string().chars().take(200).collect();
    (!fine).then(|| format!("{operation} {at} {breach:?} {shown}: {answer:?}"))
}

#[test]
fn every_breach_of_the_model_is_refused() {
    let scene = Scene::open();
    let (mut n_cases, mut problems) = (0, Vec::new());
    for operation in BUILT {
        let input = minimal(&scene, operation);
        for case in cases::of(source(), operation, &input) {
            if is_breach(operation, &case) {
                let answer = call::call(&scene, operation, &case.input);
                problems.extend(problem(operation, &case, &answer));
                n_cases += 1;
            }
        }
    }
    println!("{n_cases} broken inputs refused");
    assert!(n_cases > 300, "only {n_cases} cases");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Members whose example is refused although it is of the model's form, with the answer and the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "CustomSuffix",
        "InvalidInput",
        "no service here has several roles",
    ),
    (
        "ResourcePolicy",
        "InvalidInput",
        "it has principals, and its shape is that of any policy",
    ),
    (
        "Marker",
        "ValidationError",
        "a marker is sealed by the server; no other text is one",
    ),
];

#[test]
fn every_member_of_the_model_is_taken_when_it_is_right() {
    let scene = Scene::open();
    let mut problems = Vec::new();
    for operation in BUILT {
        let right = minimal(&scene, operation);
        for (member, input) in cases::with_each_member(source(), operation, &right) {
            let refused = REFUSED.iter().find(|(name, ..)| *name == member);
            let expected = refused.map_or("", |(_, code, _)| code);
            // What one call makes may stand in the way of the next.
            let mut fresh = minimal(&scene, operation);
            fresh[&member] = input[&member].clone();
            let answer = call::call(&scene, operation, &fresh);
            if answer.code != expected {
                problems.push(format!("{operation} with {member}: {answer:?}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
