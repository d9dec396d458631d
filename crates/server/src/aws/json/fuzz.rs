//! An entry for fuzzing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::decode::decode;
use longshore_registry::member::Blob;

/// Has a member of every shape, and itself, so that any nesting finds a place.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by nobody: reading is what is tested")]
struct Every {
    text: Option<String>,
    number: Option<i32>,
    long: Option<u64>,
    time: Option<f64>,
    flag: Option<bool>,
    blob: Option<Blob>,
    list: Option<Vec<Every>>,
    map: Option<BTreeMap<String, String>>,
    one: Option<Box<Every>>,
}

/// Reads `data` as an operation's input.
pub fn fuzz_decode(data: &[u8]) {
    let decoded = decode::<Every>(data);
    let is_empty = serde_json::from_slice::<serde_json::Map<_, _>>(data)
        .is_ok_and(|members| members.is_empty());
    assert!(
        !is_empty || decoded.is_ok(),
        "an empty input is always readable"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(data in prop::collection::vec(any::<u8>(), 0..100)) {
            fuzz_decode(&data);
        }

        #[test]
        fn any_shape_is_read_without_panic(
            body in r#"(\{|\}|\[|\]|"(text|number|long|time|flag|blob|list|map|one)":|"[a-z=]{0,4}"|-?[0-9]{1,20}|1e9|null|true|,){0,20}"#
        ) {
            fuzz_decode(body.as_bytes());
            fuzz_decode(format!("{{{body}}}").as_bytes());
        }
    }
}
