//! Reading JSON objects so that every other reader of the same bytes sees the same.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::MAX_DESCRIPTORS;

/// The depth to which JSON may be nested: that at which the parser gives up on what it does not pass over.
const MAX_DEPTH: usize = 128;

/// Whether lists and objects are nested deeper than [`MAX_DEPTH`]. Of what is not JSON the answer means nothing.
pub(super) fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Goes through an object's members, yielding those known and passing over the others.
///
/// Refuses a known member that comes twice, and one that differs from a known one only in case: Go's
/// decoder, which most clients use, would take it.
pub(super) struct Members<'a, A> {
    map: A,
    known: &'a [&'static str],
    seen: Vec<&'static str>,
}

impl<'a, 'de, A: MapAccess<'de>> Members<'a, A> {
    pub(super) const fn new(map: A, known: &'a [&'static str]) -> Self {
        Self {
            map,
            known,
            seen: Vec::new(),
        }
    }

    /// Returns the next known member's name; its value must then be taken.
    pub(super) fn next(&mut self) -> Result<Option<&'static str>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            match self.known.iter().find(|known| is_alike(known, &key)) {
                None => drop(self.map.next_value::<IgnoredAny>()?),
                Some(known) if *known != key => {
                    return Err(A::Error::custom(format_args!(
                        "member `{known}` is miswritten"
                    )));
                }
                Some(known) if self.seen.contains(known) => {
                    return Err(A::Error::duplicate_field(known));
                }
                Some(known) => {
                    self.seen.push(known);
                    return Ok(Some(known));
                }
            }
        }
        Ok(None)
    }

    /// Takes the value, `null` counting as no value.
    pub(super) fn value<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        self.map.next_value()
    }
}

/// Whether Go's decoder takes `key` for `known`: equal under simple Unicode case folding.
fn is_alike(known: &str, key: &str) -> bool {
    let fold = |c: char| c.to_uppercase().flat_map(char::to_lowercase);
    known == key || known.chars().flat_map(fold).eq(key.chars().flat_map(fold))
}

/// A list of which only so many items are read as a manifest may name descriptors; the rest is counted.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    pub(super) items: Vec<T>,
    pub(super) count: usize,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            count: 0,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BoundedVisitor<T> {
    type Value = Bounded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bounded<T>, A::Error> {
        let mut list = Bounded::default();
        while list.items.len() < MAX_DESCRIPTORS {
            let Some(item) = seq.next_element()? else {
                break;
            };
            list.items.push(item);
        }
        list.count = list.items.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            list.count += 1;
        }
        Ok(list)
    }
}

/// A text without NUL, which PostgreSQL cannot store.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains('\0') {
            Err(D::Error::custom("a text holds NUL"))
        } else {
            Ok(Self(text))
        }
    }
}

/// Annotations, each key at most once.
pub(super) struct Annotations(BTreeMap<String, String>);

impl Annotations {
    pub(super) fn or_none(annotations: Option<Self>) -> BTreeMap<String, String> {
        annotations.map(|Self(map)| map).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut annotations = BTreeMap::new();
        while let Some((Text(key), Text(value))) = map.next_entry()? {
            if annotations.insert(key, value).is_some() {
                return Err(A::Error::custom("an annotation comes twice"));
            }
        }
        Ok(Annotations(annotations))
    }
}

/// The type of an artifact: a text without control characters, at most as long as a media type.
///
/// The OCI specification asks for a media type; what is not one is kept as it is, for it is only compared.
pub(super) fn artifact_type<E: Error>(text: Option<Text>) -> Result<Option<String>, E> {
    match text {
        Some(Text(text)) if text.len() > 255 || text.chars().any(char::is_control) => {
            Err(E::custom("artifactType is not a media type"))
        }
        Some(Text(text)) if !text.is_empty() => Ok(Some(text)),
        _ => Ok(None),
    }
}
