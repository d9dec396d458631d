//! Whether an answer is one that the model allows.

use serde_json::Value;

use crate::{
    model::{Kind, Model},
    scene::Answer,
};

/// Errors that every operation may answer (`behaviour.md` section 1.1) and that this server uses.
const COMMON: [(&str, u16); 12] = [
    ("AccessDeniedException", 400),
    ("InternalFailure", 500),
    ("MalformedHttpRequestException", 400),
    ("RequestAbortedException", 400),
    ("RequestEntityTooLargeException", 413),
    ("RequestTimeoutException", 408),
    ("SerializationException", 400),
    ("ServerException", 500),
    ("ServiceUnavailable", 503),
    ("ThrottlingException", 400),
    ("UnknownOperationException", 404),
    ("UnrecognizedClientException", 403),
];

/// Fails unless the answer is the operation's output or an error that it may have.
pub(crate) fn assert_allowed(model: &Model, operation: &str, answer: &Answer) {
    if answer.status == 200 {
        assert_of(model, model.output(operation), &answer.body, operation);
        return;
    }
    let code = answer.code();
    let common = COMMON.contains(&(code, answer.status));
    let declared = model.declares(operation, code) && answer.status == 400;
    assert!(
        common || declared,
        "{operation} does not declare {answer:?}"
    );
    assert!(!answer.message().is_empty(), "{operation}: {answer:?}");
    if declared {
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("__type");
        assert_of(model, code, &body, operation);
    }
}

/// Fails unless `value` is of `shape`: no member too many, every one of its type.
fn assert_of(model: &Model, shape: &str, value: &Value, at: &str) {
    let shape = model.shape(shape);
    match shape.kind {
        Kind::Structure => {
            let members = value.as_object();
            for (name, value) in members.unwrap_or_else(|| panic!("{at} is no object: {value}")) {
                let at = format!("{at}.{name}");
                let member = shape.members.get(name);
                let member = member.unwrap_or_else(|| panic!("{at} is not in the model"));
                assert_of(model, &member.shape, value, &at);
            }
        }
        Kind::List => {
            let items = value.as_array();
            let member = &shape.member.as_ref().unwrap().shape;
            for item in items.unwrap_or_else(|| panic!("{at} is no list: {value}")) {
                assert_of(model, member, item, at);
            }
        }
        Kind::Map => assert!(value.is_object(), "{at} is no map: {value}"),
        Kind::String | Kind::Blob => {
            let text = value.as_str();
            let text = text.unwrap_or_else(|| panic!("{at} is no text: {value}"));
            let known = shape.words.is_empty() || shape.words.iter().any(|word| word == text);
            assert!(known, "{at} is none of {:?}: {text}", shape.words);
        }
        Kind::Integer | Kind::Long => assert!(value.is_i64(), "{at} is no integer: {value}"),
        Kind::Float | Kind::Double | Kind::Timestamp => {
            assert!(value.is_number(), "{at} is no number: {value}");
        }
        Kind::Boolean => assert!(value.is_boolean(), "{at} is no truth: {value}"),
    }
}
