//! A serde deserializer over the form: from its tree to a typed input, with AWS's manners.
//!
//! Lists are `NAME.member.N`, maps `NAME.entry.N.key` and `.value`; their order is that of the numbers. A list given as
//! `NAME=` is empty. Members that an operation does not know are ignored.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

use super::form::Node;

/// A form that cannot be read, or a member that is absent or of another type than the operation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MalformedInput {
    /// The text says what is wrong.
    Text(String),
    /// A member that must be there is not.
    Missing(&'static str),
}

pub(super) fn malformed(text: impl Into<String>) -> MalformedInput {
    MalformedInput::Text(text.into())
}

impl fmt::Display for MalformedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Missing(member) => write!(
                f,
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                camel(member)
            ),
        }
    }
}

/// AWS's texts begin the names of members in lower case.
fn camel(member: &str) -> String {
    let mut letters = member.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

impl std::error::Error for MalformedInput {}

impl de::Error for MalformedInput {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Text(text.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// Reads the input of an operation.
pub fn decode<T: DeserializeOwned>(form: Node) -> Result<T, MalformedInput> {
    T::deserialize(form)
}

impl Node {
    fn into_text(self) -> Result<String, MalformedInput> {
        match self.value {
            Some(text) if self.members.is_empty() => Ok(text),
            _ => Err(malformed(
                "A structure or list was found where a value is expected",
            )),
        }
    }

    fn into_members(self) -> Result<BTreeMap<String, Node>, MalformedInput> {
        match self.value.as_deref() {
            None | Some("") => Ok(self.members),
            Some(_) => Err(malformed(
                "A value was found where a structure or list is expected",
            )),
        }
    }

    /// The items under `step`, in the order of their numbers.
    fn into_items(self, step: &str) -> Result<impl Iterator<Item = Node>, MalformedInput> {
        let mut members = self.into_members()?;
        let list = members.remove(step).unwrap_or_default();
        if !members.is_empty() {
            return Err(malformed(format!("A list is written as `.{step}.N`")));
        }
        let mut items = BTreeMap::new();
        for (number, item) in list.into_members()? {
            let number: u32 = number
                .parse()
                .map_err(|_| malformed(format!("`{number}` is not the number of a list's item")))?;
            if items.insert(number, item).is_some() {
                return Err(malformed(format!(
                    "The item {number} of a list is given twice"
                )));
            }
        }
        Ok(items.into_values())
    }

    fn into_number<T: std::str::FromStr>(self) -> Result<T, MalformedInput> {
        let text = self.into_text()?;
        text.parse()
            .map_err(|_| malformed(format!("`{text}` is not a number of the expected size")))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
            visitor.$visit(self.into_number()?)
        })*
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = MalformedInput;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        if self.members.is_empty() {
            visitor.visit_string(self.into_text()?)
        } else {
            let members = self.into_members()?.into_iter();
            visitor.visit_map(Members {
                rest: members,
                next: None,
            })
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, MalformedInput> {
        let members = self.into_members()?.into_iter();
        visitor.visit_map(Members {
            rest: members,
            next: None,
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        visitor.visit_seq(SeqDeserializer::new(self.into_items("member")?))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        let mut entries = Vec::new();
        for entry in self.into_items("entry")? {
            let mut members = entry.into_members()?;
            let mut part = |name: &str| {
                let part = members.remove(name);
                part.ok_or_else(|| malformed(format!("An entry of a map has no `{name}`")))
            };
            entries.push((part("key")?.into_text()?, part("value")?));
        }
        visitor.visit_map(MapDeserializer::new(entries.into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        let text = self.into_text()?;
        match text.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(malformed(format!("`{text}` is neither true nor false"))),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        visitor.visit_string(self.into_text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MalformedInput> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, MalformedInput> {
        visitor.visit_enum(self.into_text()?.into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, MalformedInput> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, MalformedInput> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

impl IntoDeserializer<'_, MalformedInput> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of a structure.
struct Members {
    rest: std::collections::btree_map::IntoIter<String, Node>,
    next: Option<Node>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = MalformedInput;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, MalformedInput> {
        let Some((name, node)) = self.rest.next() else {
            return Ok(None);
        };
        self.next = Some(node);
        let name: StringDeserializer<MalformedInput> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, MalformedInput> {
        seed.deserialize(self.next.take().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Sample {
        user_name: Option<String>,
        max_items: Option<i64>,
        all: bool,
        tags: Vec<Tag>,
        names: Option<Vec<String>>,
        values: BTreeMap<String, Vec<String>>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: String,
        value: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        User,
        Role,
    }

    fn read(body: &str) -> Result<Sample, MalformedInput> {
        decode(Node::parse(body.as_bytes())?)
    }

    fn refusal(body: &str) -> String {
        read(body).unwrap_err().to_string()
    }

    #[test]
    fn members_of_every_shape_are_read() {
        let body = "Action=X&Version=1&UserName=bob&MaxItems=7&All=true&Kind=Role&Later.member.1=x\
            &Tags.member.10.Key=k10&Tags.member.10.Value=&Tags.member.2.Key=k2&Tags.member.2.Value=v2\
            &Names.member.1=a&Values.entry.1.key=k&Values.entry.1.value.member.1=v";
        let tag = |key: &str, value: &str| Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let expected = Sample {
            user_name: Some("bob".to_owned()),
            max_items: Some(7),
            all: true,
            tags: vec![tag("k2", "v2"), tag("k10", "")],
            names: Some(vec!["a".to_owned()]),
            values: BTreeMap::from([("k".to_owned(), vec!["v".to_owned()])]),
            kind: Some(Kind::Role),
        };
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn nothing_and_empty_lists_are_told_apart() {
        assert_eq!(read("").unwrap(), Sample::default());
        let empty = read("Names=&Tags=&Values=").unwrap();
        assert_eq!(empty.names, Some(Vec::new()));
        assert_eq!(empty.tags, []);
        assert_eq!(read("UserName=").unwrap().user_name.as_deref(), Some(""));
    }

    #[test]
    fn what_has_another_shape_is_malformed() {
        for body in [
            "UserName.member.1=a",
            "UserName=a&UserName.b=c",
            "MaxItems=seven",
            "MaxItems=99999999999999999999",
            "All=yes",
            "All=True",
            "Names=a",
            "Names.1=a",
            "Names.member.x=a",
            "Names.member.1=a&Names.member.01=b",
            "Names.member.1=a&Names.other=b",
            "Tags.member.1=a",
            "Values.entry.1.key=a",
            "Values.entry.1=a",
            "Kind=Group",
        ] {
            assert!(matches!(read(body), Err(MalformedInput::Text(_))), "{body}");
        }
    }

    #[test]
    fn an_absent_member_is_named_as_aws_does() {
        assert_eq!(
            refusal("Tags.member.1.Key=a"),
            "1 validation error detected: Value null at 'value' failed to satisfy constraint: Member must not be null"
        );
    }
}
