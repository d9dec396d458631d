use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    upload_id: Option<String>,
    part_first_byte: Option<i64>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(flatten)]
    members: Members,
    #[serde(rename = "layerPartBlob")]
    part: Option<Blob>,
}

type Outcome = Result<(Members, Option<Vec<u8>>), ProtocolError>;

fn read(body: &[u8], chunk_len: usize) -> Outcome {
    let (mut reader, mut part) = (LayerPartReader::new(), Vec::new());
    for chunk in body.chunks(chunk_len) {
        reader.push(chunk, &mut |bytes| part.extend_from_slice(bytes))?;
    }
    let (members, len) = reader.finish()?;
    assert_eq!(len.unwrap_or_default(), part.len() as u64);
    Ok((members, len.map(|_| part)))
}

fn read_whole(body: &[u8]) -> Outcome {
    let whole: Whole = decode(body)?;
    Ok((whole.members, whole.part.map(Blob::into_bytes)))
}

fn error_of(body: &str) -> ProtocolError {
    read(body.as_bytes(), 7).unwrap_err()
}

#[test]
fn members_stand_in_any_order() {
    let expected = (
        Members {
            upload_id: Some("u".to_owned()),
            part_first_byte: Some(3),
        },
        Some(b"bytes".to_vec()),
    );
    for body in [
        r#"{"uploadId":"u","partFirstByte":3,"layerPartBlob":"Ynl0ZXM="}"#,
        r#" { "layerPartBlob" : "Ynl0ZXM=" , "partFirstByte" : 3 , "uploadId" : "u" } "#,
        r#"{"partFirstByte":3,"layerPartBlob":"Ynl0ZXM=","x":{"layerPartBlob":"!"},"uploadId":"u"}"#,
        r#"{"x":["layerPartBlob","\"",{"y":"}"}],"partFirstByte":3,"layer\u0050artBlob":"Ynl0ZXM\u003d","uploadId":"u"}"#,
    ] {
        for chunk_len in [1, 2, 5, body.len()] {
            assert_eq!(
                read(body.as_bytes(), chunk_len).as_ref(),
                Ok(&expected),
                "{body}"
            );
        }
    }
}

#[test]
fn escapes_of_encoders_are_undone() {
    let body = r#"{"layerPartBlob":"\/\u002B8="}"#;
    assert_eq!(
        read(body.as_bytes(), 1).unwrap().1,
        STANDARD.decode("/+8=").ok()
    );
}

#[test]
fn an_absent_part_is_told_from_an_empty_one() {
    for (body, part) in [
        ("", None),
        ("{}", None),
        (r#"{"layerPartBlob":null}"#, None),
        (r#"{"layerPartBlob":""}"#, Some(Vec::new())),
    ] {
        assert_eq!(read(body.as_bytes(), 3).unwrap().1, part, "{body}");
    }
}

#[test]
fn a_part_that_is_no_base64_text_is_refused() {
    for (part, text) in [
        ("\"Q\"", "STRING_VALUE can not be converted to a Blob"),
        (
            "\"QQ==QQ==\"",
            "STRING_VALUE can not be converted to a Blob",
        ),
        (r#""QQ\n==""#, "STRING_VALUE can not be converted to a Blob"),
        (
            r#""QQ\u0d=""#,
            "STRING_VALUE can not be converted to a Blob",
        ),
        (
            r#""\u0151QQ=""#,
            "STRING_VALUE can not be converted to a Blob",
        ),
        ("5", "NUMBER_VALUE can not be converted to a String"),
        ("[\"QQ==\"]", "Start of list found where not expected"),
    ] {
        let error = error_of(&format!(r#"{{"layerPartBlob":{part}}}"#));
        assert_eq!(
            error,
            ProtocolError::Serialization(text.to_owned()),
            "{part}"
        );
    }
}

#[test]
fn a_part_may_stand_once() {
    for body in [
        r#"{"layerPartBlob":"QQ==","layerPartBlob":"QQ=="}"#,
        r#"{"layerPartBlob":"QQ==","layerPartBlob":null}"#,
        r#"{"layerPartBlob":null,"layerPartBlob":"QQ=="}"#,
    ] {
        assert!(
            matches!(error_of(body), ProtocolError::Serialization(_)),
            "{body}"
        );
    }
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let body = r#"{"uploadId":"u","layerPartBlob":"Ynl0ZXM=","partFirstByte":3}"#;
    for len in 1..body.len() {
        assert!(read(&body.as_bytes()[..len], 4).is_err(), "{len}");
    }
}

#[test]
fn text_beside_the_part_is_bounded() {
    let body = |len: usize| format!(r#"{{"layerPartBlob":"QQ==","x":"{}"}}"#, "x".repeat(len));
    let room = MAX_REST - body(0).len() + "\"QQ==\"".len() - "null".len();
    assert!(read(body(room).as_bytes(), 1000).is_ok());
    assert_eq!(error_of(&body(room + 1)), ProtocolError::BodyTooLarge);
}

#[test]
fn a_part_has_at_most_20_mib() {
    let nearly_full = || LayerPartReader {
        n_decoded: MAX_PART - 3,
        ..LayerPartReader::new()
    };
    let mut handed_on = 0;
    let mut sink = |bytes: &[u8]| handed_on += bytes.len();
    let mut reader = nearly_full();
    reader
        .push(br#"{"layerPartBlob":"AAAA"}"#, &mut sink)
        .unwrap();
    assert_eq!(reader.finish::<Members>().unwrap().1, Some(20_971_520));
    let error = nearly_full()
        .push(br#"{"layerPartBlob":"AAAAAA=="}"#, &mut sink)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid parameter at 'layerPartBlob' failed to satisfy constraint: 'Member must have length less than or equal to 20971520'"
    );
    assert_eq!(handed_on, 3);
}

/// Writes base64 with some characters escaped, as encoders do.
fn quoted(part: &[u8], escapes: &[bool]) -> String {
    let text = STANDARD.encode(part);
    let escaped = |(character, escape): (char, &bool)| match (character, escape) {
        ('/', true) => "\\/".to_owned(),
        (other, true) => format!("\\u{:04x}", u32::from(other)),
        (other, false) => other.to_string(),
    };
    let text: Vec<_> = text
        .chars()
        .zip(escapes.iter().cycle())
        .map(escaped)
        .collect();
    format!("\"{}\"", text.concat())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?[1-9][0-9]{0,5}",
        Just("null".to_owned()),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string())
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((key(), inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("layerPartBlob".to_owned()), "[a-z\"\\\\é]{0,4}"]
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(key, value)| format!("{}: {value}", serde_json::json!(key)))
        .collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #[test]
    fn any_chunking_reads_what_serde_json_reads_from_the_whole(
        before in prop::collection::vec(("[a-z\"\\\\é]{1,4}", json()), 0..3),
        after in prop::collection::vec(("[a-z\"\\\\é]{1,4}", json()), 0..3),
        upload_id in any::<String>(),
        part in prop::collection::vec(any::<u8>(), 0..5000),
        escapes in prop_oneof![Just(vec![false]), prop::collection::vec(any::<bool>(), 1..9)],
        chunk_len in 1_usize..600,
    ) {
        let mut members = before;
        members.push(("layerPartBlob".to_owned(), quoted(&part, &escapes)));
        members.push(("uploadId".to_owned(), serde_json::json!(upload_id).to_string()));
        members.extend(after);
        let body = object(&members);
        let outcome = read(body.as_bytes(), chunk_len);
        prop_assert_eq!(&outcome, &read_whole(body.as_bytes()));
        prop_assert_eq!(outcome.unwrap().1, Some(part));
    }

    #[test]
    fn damaged_bodies_are_refused_as_serde_json_does(
        cut in any::<prop::sample::Index>(),
        put in "[\\[\\]{}\":,\\\\ a1=/u]{0,3}",
        skip in 0_usize..3,
        chunk_len in 1_usize..40,
    ) {
        let body = r#"{"uploadId":"\"u","layerPartBlob":"Ynl0ZXM\u003d","partFirstByte":3,"x":[{}]}"#;
        let at = cut.index(body.len());
        let damaged = [&body[..at], &put, body.get(at + skip..).unwrap_or_default()].concat();
        let (outcome, whole) = (read(damaged.as_bytes(), chunk_len), read_whole(damaged.as_bytes()));
        prop_assert_eq!(outcome.as_ref().ok(), whole.as_ref().ok(), "{}", damaged);
    }

    #[test]
    fn chunking_never_changes_the_outcome(
        body in "(\\{|\\}|\\[|\\]|\"layerPartBlob\":|\"QQ==\"|\"QQ|\"uploadId\":|\"|:|,|\\\\/|1|null| ){0,24}",
        chunk_len in 1_usize..12,
    ) {
        let body = format!("{{{body}}}");
        prop_assert_eq!(read(body.as_bytes(), chunk_len), read(body.as_bytes(), body.len()));
    }
}
