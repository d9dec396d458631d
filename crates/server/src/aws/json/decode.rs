//! From a body to a typed input.

use longshore_types::constraint::{Constraint, InvalidParameter};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::input::{Input, InputError, Mismatch};

/// Why a call cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The body is not JSON, or a member has another type than the operation's.
    #[error("{0}")]
    Serialization(String),
    /// A member is absent or is not one of the values that it may have.
    #[error(transparent)]
    InvalidParameter(InvalidParameter),
    /// No service here has the operation.
    #[error("The requested operation is not recognized by the service.")]
    UnknownOperation,
    /// The body is longer than its operation needs.
    #[error("The request body is too large.")]
    BodyTooLarge,
}

/// Reads the input of an operation.
///
/// As AWS does: an empty body is an empty input, members set to null are absent, and unknown members are ignored.
/// A required member is a field that serde requires; an enum is one in serde; a value type that refuses its text
/// becomes a constraint of its member. Nesting is bounded by the JSON reader.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProtocolError> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    let value: Value = serde_json::from_slice(body).map_err(|_| {
        ProtocolError::Serialization("The request body is not valid JSON.".to_owned())
    })?;
    T::deserialize(Input(value)).map_err(ProtocolError::from)
}

impl From<InputError> for ProtocolError {
    fn from(error: InputError) -> Self {
        let member = error.member.unwrap_or_default();
        match error.mismatch {
            Mismatch::Type(text) => Self::Serialization(text),
            Mismatch::Missing(field) => Self::InvalidParameter(Constraint::NotNull.at(field)),
            Mismatch::Variant(values) => {
                Self::InvalidParameter(Constraint::OneOf(values).at(member))
            }
            Mismatch::Value(text) => Self::InvalidParameter(Constraint::text(text).at(member)),
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_types::name::RepositoryName;
    use serde::Deserialize;

    use super::*;
    use longshore_registry::member::Blob;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        registry_id: Option<String>,
        max_results: Option<i32>,
        #[serde(default)]
        image_ids: Vec<ImageId>,
        #[serde(default)]
        force: bool,
        mutability: Option<Mutability>,
        name: Option<RepositoryName>,
        blob: Option<Blob>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ImageId {
        image_tag: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum Mutability {
        Mutable,
        Immutable,
    }

    fn refusal(body: &str) -> String {
        decode::<Sample>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn members_are_read() {
        let body = r#"{"registryId":"1","maxResults":5,"imageIds":[{"imageTag":"a"}],"force":true,
            "mutability":"IMMUTABLE","name":"team/app","blob":"AQI="}"#;
        let sample: Sample = decode(body.as_bytes()).unwrap();
        assert_eq!(sample.registry_id.as_deref(), Some("1"));
        assert_eq!(sample.max_results, Some(5));
        assert_eq!(
            sample.image_ids,
            [ImageId {
                image_tag: "a".to_owned()
            }]
        );
        assert!(sample.force);
        assert_eq!(sample.mutability, Some(Mutability::Immutable));
        assert_eq!(sample.name, Some("team/app".parse().unwrap()));
        assert_eq!(sample.blob.unwrap().into_bytes(), [1, 2]);
    }

    #[test]
    fn an_empty_body_is_an_empty_input() {
        let empty: Sample = decode(b"{}").unwrap();
        assert_eq!(decode::<Sample>(b"").unwrap(), empty);
        assert_eq!(decode::<Sample>(b" \r\n").unwrap(), empty);
    }

    #[test]
    fn null_is_absent_and_unknown_members_are_ignored() {
        let body =
            br#"{"registryId":null,"imageIds":null,"force":null,"blob":null,"later":{"x":[1]}}"#;
        assert_eq!(
            decode::<Sample>(body).unwrap(),
            decode::<Sample>(b"{}").unwrap()
        );
        assert_eq!(
            refusal(r#"{"imageIds":[{"imageTag":null}]}"#),
            "Invalid parameter at 'imageTag' failed to satisfy constraint: 'Member must not be null'"
        );
    }

    #[test]
    fn broken_json_is_a_serialization_error() {
        let deep = format!(r#"{{"later":{}1{}}}"#, "[".repeat(4000), "]".repeat(4000));
        for body in [
            "{",
            "{}{}",
            "{\"a\":01}",
            "\u{1}",
            "{\"registryId\":\"\u{1}\"}",
            &deep,
        ] {
            let error = decode::<Sample>(body.as_bytes()).unwrap_err();
            assert!(matches!(error, ProtocolError::Serialization(_)), "{body}");
        }
        assert!(matches!(
            decode::<Sample>(b"{\"\xff\":1}"),
            Err(ProtocolError::Serialization(_))
        ));
    }

    #[test]
    fn a_wrong_type_is_named_as_aws_does() {
        for (body, text) in [
            (
                r#"{"registryId":1}"#,
                "NUMBER_VALUE can not be converted to a String",
            ),
            (
                r#"{"registryId":true}"#,
                "TRUE_VALUE can not be converted to a String",
            ),
            (
                r#"{"registryId":[]}"#,
                "Start of list found where not expected",
            ),
            (
                r#"{"registryId":{}}"#,
                "Start of structure or map found where not expected.",
            ),
            (
                r#"{"maxResults":"5"}"#,
                "STRING_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"maxResults":1.5}"#,
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"maxResults":3000000000}"#,
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"force":"true"}"#,
                "STRING_VALUE can not be converted to a Boolean",
            ),
            (r#"{"imageIds":"a"}"#, "Unexpected value type in payload"),
            (
                r#"{"imageIds":{}}"#,
                "Start of structure or map found where not expected.",
            ),
            (
                r#"{"imageIds":[["a"]]}"#,
                "Start of list found where not expected",
            ),
            (r#"{"imageIds":[null]}"#, "Unexpected value type in payload"),
            (
                r#"{"blob":"a"}"#,
                "STRING_VALUE can not be converted to a Blob",
            ),
            (
                r#"{"mutability":{"MUTABLE":null}}"#,
                "Start of structure or map found where not expected.",
            ),
            ("[]", "Start of list found where not expected"),
            ("null", "Unexpected value type in payload"),
        ] {
            assert_eq!(
                decode::<Sample>(body.as_bytes()),
                Err(ProtocolError::Serialization(text.to_owned())),
                "{body}"
            );
        }
    }

    #[test]
    fn values_outside_of_their_set_are_invalid_parameters() {
        assert_eq!(
            refusal(r#"{"mutability":"SOMETIMES"}"#),
            "Invalid parameter at 'mutability' failed to satisfy constraint: \
             'Member must satisfy enum value set: [MUTABLE, IMMUTABLE]'"
        );
        let name = refusal(r#"{"name":"Team//app"}"#);
        assert!(
            name.starts_with("Invalid parameter at 'name' failed to satisfy constraint: '"),
            "{name}"
        );
    }
}
