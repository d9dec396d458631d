//! Inputs that are right, with little in them but what is required, and examples for every other member.

mod identity;
mod policy;
mod provider;
mod role;

use serde_json::{Map, Value, json};

use crate::{
    cases::Source,
    model::{IAM, Kind},
    scene::Scene,
};

/// A policy that allows something.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}]}"#;
/// A policy that lets the account's principals assume a role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"000000000000"}}]}"#;
/// A managed policy that is always there.
const MANAGED: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Where cases of IAM's API come from.
pub(crate) fn source() -> Source {
    Source {
        model: &IAM,
        example,
    }
}

/// Makes what an operation needs and returns an input that succeeds, once.
pub(crate) fn minimal(scene: &Scene, operation: &str) -> Value {
    identity::minimal(scene, operation)
        .or_else(|| role::minimal(scene, operation))
        .or_else(|| policy::minimal(scene, operation))
        .or_else(|| provider::minimal(scene, operation))
        .unwrap_or_else(|| panic!("no input for {operation}"))
}

/// A value of a shape, with no member that is not required.
fn example(shape_name: &str) -> Value {
    let shape = IAM.shape(shape_name);
    match shape.kind {
        Kind::Structure => {
            let member = |name: &String| (name.clone(), example(&shape.members[name].shape));
            Value::Object(shape.required.iter().map(member).collect::<Map<_, _>>())
        }
        Kind::List => json!([example(&shape.member.as_ref().unwrap().shape)]),
        Kind::Boolean => json!(true),
        Kind::Integer | Kind::Long => json!(shape.min.unwrap_or(0).max(1)),
        Kind::String => json!(text(shape_name, &shape.words)),
        other => panic!("no example of {other:?} for {shape_name}"),
    }
}

fn text(shape: &str, words: &[String]) -> String {
    if let Some(word) = words.first() {
        return word.clone();
    }
    let text = match shape {
        "pathType" | "pathPrefixType" | "policyPathType" => "/contract/",
        "accessKeyIdType" => "AKIAAAAAAAAAAAAAAAAA",
        "arnType" => MANAGED,
        "policyDocumentType" => POLICY,
        "thumbprintType" => "0123456789012345678901234567890123456789",
        "ActionNameType" => "ecr:PutImage",
        "ResourceNameType" => "arn:aws:iam::000000000000:user/example",
        "ContextKeyNameType" => "aws:username",
        _ => "example",
    };
    text.to_owned()
}
