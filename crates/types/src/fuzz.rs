//! What must hold for any bytes at all: plain functions, which a test and a fuzzer alike can feed.
//!
//! Each panics when something that should hold does not; none refuses an input.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::account::{AccountId, Region};
use crate::arn::{Arn, PrincipalArn, RepositoryArn};
use crate::digest::Digest;
use crate::id::UploadId;
use crate::manifest::{
    ConvertError, Descriptor, ImageFormat, MAX_DESCRIPTORS, MAX_MANIFEST_BYTES, Manifest,
    ManifestError, ManifestKind, convert,
};
use crate::media_type::{MediaType, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST};
use crate::mutability::ExclusionFilter;
use crate::name::{ImageTag, Reference, RepositoryName, TemplatePrefix};
use crate::range::{ByteRange, ContentRange, Selection};
use crate::wildcard;

/// Asserts that what parses as a name of any kind prints as it was and is as long as it may be.
pub fn fuzz_names(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    assert_same::<RepositoryName>(text, 2..=256);
    assert_same::<TemplatePrefix>(text, 1..=256);
    assert_same::<ImageTag>(text, 1..=128);
    assert_same::<Reference>(text, 1..=135);
    assert_same::<AccountId>(text, 12..=12);
    assert_same::<Region>(text, 0..=25);
    assert_same::<MediaType>(text, 3..=255);
    assert_same::<UploadId>(text, 36..=36);
    assert_same::<Arn>(text, 14..=2048);
    assert_same::<PrincipalArn>(text, 30..=2048);
    if let Some(filter) = assert_same::<ExclusionFilter>(text, 1..=128) {
        assert!(
            wildcard::matches(filter.as_str(), text),
            "a filter matches itself"
        );
    }
    if let Ok(arn) = text.parse::<RepositoryArn>() {
        assert_eq!(arn.to_string().parse().as_ref(), Ok(&arn), "of {text:?}");
    }
    if let Ok(media_type) = MediaType::from_content_type(text) {
        assert!(text.contains(media_type.as_str()), "of {text:?}");
    }
}

/// Asserts that what parses as a digest prints as it was, and that its key leads back to it.
pub fn fuzz_digest(input: &[u8]) {
    if let Ok(digest) = Digest::from_key(input) {
        assert_eq!(digest.to_key(), input);
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(digest) = assert_same::<Digest>(text, 71..=135) {
        assert_eq!(digest.as_bytes().len(), digest.algorithm().hash_len());
        assert_eq!(Digest::from_key(&digest.to_key()), Ok(digest));
    }
}

/// Asserts that ranges are in order and lie within what they are ranges of.
pub fn fuzz_range(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for total in [0, 1, 10, 1 << 40, u64::MAX - 1, u64::MAX] {
        if let Selection::Part(range) = ByteRange::parse(text, total) {
            assert!(
                range.first() <= range.last() && range.end() <= total,
                "{range} of {total}"
            );
            assert_eq!(range.first() + range.len(), range.end());
            assert_eq!(
                ByteRange::parse(&format!("bytes={range}"), total),
                Selection::Part(range)
            );
        }
    }
    if let Ok(range) = text.parse::<ContentRange>() {
        assert!(
            range.first() <= range.last() && range.last() < 1 << 63,
            "{range}"
        );
        assert_eq!(range.to_string().parse(), Ok(range));
    }
}

/// Asserts that a manifest which parses is bounded, of one kind, and converts to what parses as the same image.
pub fn fuzz_manifest(input: &[u8]) {
    for declared in [
        None,
        OCI_IMAGE_MANIFEST.parse().ok(),
        OCI_IMAGE_INDEX.parse().ok(),
    ] {
        match Manifest::parse(input, declared.as_ref()) {
            Ok(manifest) => {
                assert!(declared.is_none_or(|declared| declared == manifest.media_type));
                assert_bounded(input, &manifest);
                assert_converts(input, &manifest);
            }
            Err(ManifestError::Invalid(what)) => assert!(what.chars().count() <= 200, "{what}"),
            Err(ManifestError::TooLarge(len)) => assert!(len > MAX_MANIFEST_BYTES),
            Err(_) => {}
        }
    }
}

fn assert_bounded(input: &[u8], manifest: &Manifest) {
    assert!(input.len() <= MAX_MANIFEST_BYTES && std::str::from_utf8(input).is_ok());
    let n_children = manifest.children.len();
    assert!(descriptors(manifest).count() <= MAX_DESCRIPTORS);
    assert!(descriptors(manifest).all(|descriptor| i64::try_from(descriptor.size).is_ok()));
    assert!(
        texts(manifest).all(|text| !text.contains('\0')),
        "{manifest:?}"
    );
    assert_eq!(
        manifest.config.is_some(),
        manifest.kind == ManifestKind::Image
    );
    assert!(n_children == 0 || manifest.kind == ManifestKind::Index && manifest.layers.is_empty());
    let again = Manifest::parse(input, Some(&manifest.media_type));
    assert_eq!(
        again.as_ref(),
        Ok(manifest),
        "the type found is the type declared"
    );
}

/// Every text of a manifest that has no type of its own to keep it clean.
fn texts(manifest: &Manifest) -> impl Iterator<Item = &String> {
    let own = pairs(&manifest.annotations).chain(&manifest.artifact_type);
    let named = descriptors(manifest).flat_map(move |descriptor| {
        let annotations = pairs(&descriptor.annotations);
        annotations
            .chain(&descriptor.urls)
            .chain(&descriptor.artifact_type)
    });
    own.chain(named)
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = &String> {
    map.iter().flat_map(|(key, value)| [key, value])
}

fn descriptors(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let blobs = manifest.config.iter().chain(&manifest.layers);
    blobs.chain(&manifest.children).chain(&manifest.subject)
}

fn assert_converts(input: &[u8], manifest: &Manifest) {
    for format in [ImageFormat::Docker, ImageFormat::Oci] {
        match convert(input, Some(&manifest.media_type), format) {
            Ok(bytes) => {
                let converted = Manifest::parse(
                    &bytes,
                    Some(&manifest.media_type).filter(|of| **of == format.media_type()),
                );
                let converted = converted.expect("what was converted parses");
                assert_eq!(converted.media_type, format.media_type());
                assert!(blobs(manifest).eq(blobs(&converted)), "the same blobs");
            }
            Err(ConvertError::NotImage(_)) => assert_ne!(manifest.kind, ManifestKind::Image),
            Err(ConvertError::NoCounterpart(_)) => {
                assert_ne!(manifest.media_type, format.media_type());
            }
            Err(ConvertError::Manifest(error)) => panic!("{error}"),
        }
    }
}

fn blobs(manifest: &Manifest) -> impl Iterator<Item = (Digest, u64, &[String])> {
    let blobs = manifest.config.iter().chain(&manifest.layers);
    blobs.map(|blob| (blob.digest, blob.size, blob.urls.as_slice()))
}

fn assert_same<T>(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<T>
where
    T: FromStr + Display + Debug,
{
    let value: T = text.parse().ok()?;
    assert_eq!(value.to_string(), text);
    assert!(
        lengths.contains(&text.len()),
        "{} characters of {text:?}",
        text.len()
    );
    Some(value)
}

#[cfg(test)]
mod tests;
