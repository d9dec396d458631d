//! Calls in the Query protocol, whose every answer is held against the model.

use serde_json::Value;

use super::xml;
use crate::{api, model::IAM, scene::Scene};

/// An answer, with its body read by the model.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The error's code; empty for a success.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The output of a success.
    pub(crate) output: Value,
}

/// Errors that every operation may answer and that this server uses.
const COMMON: [(&str, u16); 7] = [
    ("AccessDenied", 403),
    ("InvalidAction", 400),
    ("MalformedInput", 400),
    ("RequestEntityTooLarge", 413),
    ("ServiceUnavailable", 503),
    ("Throttling", 400),
    ("ValidationError", 400),
];

/// Errors that AWS answers although the model does not say so.
const UNDECLARED: [(&str, &str); 1] = [("GetAccessKeyLastUsed", "NoSuchEntity")];

/// Sends a call of IAM and reads its answer.
pub(crate) fn send(scene: &Scene, operation: &str, input: &Value) -> Answer {
    let mut pairs = vec![
        format!("Action={operation}"),
        "Version=2010-05-08".to_owned(),
    ];
    flatten(&mut pairs, "", input);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = api::post(scene.connect(), "iam", &headers, &pairs.join("&")).unwrap();
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let text = answer.text();
    let document =
        roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let root = document.root_element();
    let namespace = root.tag_name().namespace();
    assert_eq!(namespace, Some("https://iam.amazonaws.com/doc/2010-05-08/"));
    let id = xml::text(root, "RequestId")
        .or_else(|| xml::text(xml::child(root, "ResponseMetadata")?, "RequestId"));
    assert_eq!(id.as_deref(), answer.header("x-amzn-requestid"), "{text}");
    if answer.status == 200 {
        return Answer {
            status: 200,
            code: String::new(),
            message: String::new(),
            output: xml::output(&IAM, operation, root),
        };
    }
    let error = xml::child(root, "Error").unwrap_or_else(|| panic!("no error: {text}"));
    let side = if answer.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    assert_eq!(xml::text(error, "Type").as_deref(), Some(side), "{text}");
    Answer {
        status: answer.status,
        code: xml::text(error, "Code").unwrap(),
        message: xml::text(error, "Message").unwrap(),
        output: Value::Null,
    }
}

/// Calls a built operation; its answer must be one that the model allows.
pub(crate) fn call(scene: &Scene, operation: &str, input: &Value) -> Answer {
    let answer = send(scene, operation, input);
    let (code, status) = (answer.code.as_str(), answer.status);
    let allowed = status == 200
        || COMMON.contains(&(code, status))
        || UNDECLARED.contains(&(operation, code))
        || IAM.declares_fault(operation, code, status);
    assert!(allowed, "{operation} does not declare {answer:?}");
    assert!(status == 200 || !answer.message.is_empty());
    answer
}

/// Calls an operation that must succeed.
pub(crate) fn done(scene: &Scene, operation: &str, input: &Value) -> Value {
    let answer = call(scene, operation, input);
    assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
    answer.output
}

/// Writes the members of an input as the pairs of a form.
fn flatten(pairs: &mut Vec<String>, name: &str, value: &Value) {
    let within = |step: &str| match name {
        "" => step.to_owned(),
        name => format!("{name}.{step}"),
    };
    let text = match value {
        Value::Object(members) => {
            for (member, value) in members {
                flatten(pairs, &within(member), value);
            }
            return;
        }
        Value::Array(items) if !items.is_empty() => {
            for (idx, item) in items.iter().enumerate() {
                flatten(pairs, &within(&format!("member.{}", idx + 1)), item);
            }
            return;
        }
        Value::Array(_) | Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let escaped = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
    pairs.push(format!("{name}={escaped}"));
}
