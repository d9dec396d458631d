use proptest::prelude::*;

use super::*;
use crate::text::tests::{assert_refused, assert_round_trip};

#[test]
fn names_of_the_ecr_pattern_are_accepted() {
    for text in [
        "ab",
        "a1",
        "0a",
        "team/app",
        "a/b",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "a----b",
        "a/b/c/d",
        "a-b__c.d_e/f",
    ] {
        assert_round_trip::<RepositoryName>(text);
    }
    assert_round_trip::<RepositoryName>(&"a".repeat(256));
}

#[test]
fn names_outside_the_ecr_pattern_are_refused() {
    for text in [
        "", "a", "A", "Ab", "aB", "/", "//", "/ab", "ab/", "a//b", ".ab", "ab.", "_ab", "ab_",
        "-ab", "ab-", "a..b", "a___b", "a._b", "a_.b", "a-.b", "a.-b", "a-_b", "a_-b", "a__-b",
        "a/.b", "a./b", "a/-b", "a-/b", "a b", "a\0b", "ab\n", "aé", "é", "a+b", "a:b", "a@b",
        "a*", "../ab", "a/../b", "a%2fb",
    ] {
        assert_refused::<RepositoryName>(text);
    }
    assert_refused::<RepositoryName>(&"a".repeat(257));
}

#[test]
fn public_names_are_shorter_and_have_single_separators() {
    for (text, public) in [("a-b/c_d.e", true), ("a--b", false), ("a__b", false)] {
        assert_eq!(
            text.parse::<RepositoryName>().unwrap().is_public_form(),
            public,
            "{text}"
        );
    }
    assert!(
        "a".repeat(205)
            .parse::<RepositoryName>()
            .unwrap()
            .is_public_form()
    );
    assert!(
        !"a".repeat(206)
            .parse::<RepositoryName>()
            .unwrap()
            .is_public_form()
    );
}

#[test]
fn tags_of_the_oci_grammar_are_accepted() {
    for text in [
        "a",
        "_",
        "1",
        "latest",
        "v1.0.0",
        "V1",
        "_x",
        "a.-_b",
        "sha256-0123.sig",
        "a..b",
        "a-",
    ] {
        assert_round_trip::<ImageTag>(text);
    }
    assert_round_trip::<ImageTag>(&"a".repeat(128));
}

#[test]
fn tags_outside_the_oci_grammar_are_refused() {
    for text in [
        "", ".", "-", ".a", "-a", "a+b", "a b", "a/b", "a:b", "a@b", "é", "aé", "a\0", "a\n", " a",
    ] {
        assert_refused::<ImageTag>(text);
    }
    assert_refused::<ImageTag>(&"a".repeat(129));
}

#[test]
fn references_are_tags_or_digests() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    assert!(matches!(
        assert_round_trip::<Reference>(&digest),
        Reference::Digest(_)
    ));
    assert!(matches!(
        assert_round_trip::<Reference>("latest"),
        Reference::Tag(_)
    ));
    for text in ["", "a:b", "sha256:", "sha256:00", ":", "a/b", ".x"] {
        assert_refused::<Reference>(text);
    }
}

/// The ECR pattern, read backwards into a recogniser that splits instead of scanning.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_component = |component: &str| {
        let dashes_folded = component
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        let ends = component.starts_with('-') || component.ends_with('-');
        let one_mark = dashes_folded.replace("__", "-").replace(['.', '_'], "-");
        !ends && !component.contains("___") && one_mark.split('-').all(is_word)
    };
    (2..=256).contains(&text.len()) && text.split('/').all(is_component)
}

proptest! {
    #[test]
    fn generated_names_round_trip(
        text in "[a-z0-9]{1,9}((\\.|_|__|-{1,4})[a-z0-9]{1,5}){0,4}(/[a-z0-9]{1,9}((\\.|_|__|-{1,4})[a-z0-9]{1,5}){0,3}){0,4}"
    ) {
        prop_assume!(text.len() > 1);
        prop_assert_eq!(text.parse::<RepositoryName>().unwrap().to_string(), text);
    }

    #[test]
    fn the_scanner_agrees_with_the_splitter(text in "[ab0._/-]{0,9}") {
        prop_assert_eq!(text.parse::<RepositoryName>().is_ok(), is_name(&text));
    }

    #[test]
    fn generated_references_round_trip(text in "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}") {
        prop_assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
    }
}
