//! An entry for fuzzing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{decode::decode, form::Node};

/// Has a member of every shape, and itself, so that any nesting finds a place.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by nobody: reading is what is tested")]
struct Every {
    text: Option<String>,
    number: Option<i32>,
    long: Option<u64>,
    flag: Option<bool>,
    list: Option<Vec<Every>>,
    texts: Option<Vec<String>>,
    map: Option<BTreeMap<String, Every>>,
    one: Option<Box<Every>>,
}

/// Reads `data` as the form of a call and as an operation's input.
pub fn fuzz_form(data: &[u8]) {
    let Ok(form) = Node::parse(data) else {
        return;
    };
    let is_empty = form == Node::default();
    let decoded = decode::<Every>(form);
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
            fuzz_form(&data);
        }

        #[test]
        fn any_shape_is_read_without_panic(
            body in r"(text|number|long|flag|list|texts|map|one|member|entry|key|value|[0-9]{1,3}|\.|=|&|true|%[0-9a-f]{2}|\+){0,30}"
        ) {
            fuzz_form(body.as_bytes());
        }
    }
}
