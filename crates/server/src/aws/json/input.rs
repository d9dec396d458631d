//! A serde deserializer over JSON values with AWS's manners.
//!
//! It differs from `serde_json`'s own: null members are skipped, a structure is never read from a list, and errors
//! say what kind they are and which member they belong to.

use std::fmt;

use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeSeed, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Number, Value};

/// What is wrong with an input, and with which of its members.
#[derive(Debug)]
pub(super) struct InputError {
    pub(super) mismatch: Mismatch,
    pub(super) member: Option<String>,
}

/// The kinds of error that AWS tells apart.
#[derive(Debug)]
pub(super) enum Mismatch {
    /// Another JSON type, or a number out of range; the text is AWS's.
    Type(String),
    /// A required member is absent.
    Missing(&'static str),
    /// Not one of the enumerated values.
    Variant(&'static [&'static str]),
    /// Refused by the value type, in its words.
    Value(String),
}

impl From<Mismatch> for InputError {
    fn from(mismatch: Mismatch) -> Self {
        Self {
            mismatch,
            member: None,
        }
    }
}

impl InputError {
    /// Names the member, unless a deeper one is named already.
    fn at(mut self, member: &str) -> Self {
        self.member.get_or_insert_with(|| member.to_owned());
        self
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mismatch {
            Mismatch::Type(text) | Mismatch::Value(text) => f.write_str(text),
            Mismatch::Missing(field) => write!(f, "missing member `{field}`"),
            Mismatch::Variant(values) => write!(f, "not one of {values:?}"),
        }
    }
}

impl std::error::Error for InputError {}

impl de::Error for InputError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Mismatch::Value(text.to_string()).into()
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mismatch::Type(type_text(unexpected, expected)).into()
    }

    // Numbers out of their type's range come here; AWS's readers convert by type as well.
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Mismatch::Variant(expected).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Mismatch::Missing(field).into()
    }
}

fn type_text(unexpected: Unexpected<'_>, expected: &dyn Expected) -> String {
    let token = match unexpected {
        Unexpected::Bool(true) => "TRUE_VALUE",
        Unexpected::Bool(false) => "FALSE_VALUE",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "NUMBER_VALUE",
        Unexpected::Str(_) => "STRING_VALUE",
        Unexpected::Seq => return "Start of list found where not expected".to_owned(),
        Unexpected::Map => return "Start of structure or map found where not expected.".to_owned(),
        _ => return UNEXPECTED.to_owned(),
    };
    let kind = match expected.to_string().as_str() {
        "a string" | "variant identifier" => "a String",
        "i8" | "i16" | "i32" | "u8" | "u16" | "u32" => "an Integer",
        "i64" | "u64" | "usize" | "isize" => "a Long",
        "f32" | "f64" => "a Double",
        "a boolean" => "a Boolean",
        "base64" => "a Blob",
        _ => return UNEXPECTED.to_owned(),
    };
    format!("{token} can not be converted to {kind}")
}

const UNEXPECTED: &str = "Unexpected value type in payload";

/// A JSON value that is read as an operation's input.
pub(super) struct Input(pub(super) Value);

impl Input {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn refuse(&self, expected: &dyn Expected) -> InputError {
        de::Error::invalid_type(self.unexpected(), expected)
    }
}

impl<'de> Deserializer<'de> for Input {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Input)))
            }
            Value::Object(members) => visitor.visit_map(Members::new(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        if self.0.is_object() {
            self.deserialize_any(visitor)
        } else {
            Err(self.refuse(&visitor))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.into_deserializer()),
            other => Err(Input(other).refuse(&"a string")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct identifier
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, InputError> {
    if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or_default())
    }
}

impl IntoDeserializer<'_, InputError> for Input {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of a structure that are not null.
struct Members {
    rest: serde_json::map::IntoIter,
    next: Option<(String, Value)>,
}

impl Members {
    fn new(members: Map<String, Value>) -> Self {
        Self {
            rest: members.into_iter(),
            next: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = InputError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, InputError> {
        let Some((key, value)) = self.rest.find(|(_, value)| !value.is_null()) else {
            return Ok(None);
        };
        let name: StringDeserializer<InputError> = key.clone().into_deserializer();
        self.next = Some((key, value));
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, InputError> {
        let (key, value) = self.next.take().unwrap_or_default();
        seed.deserialize(Input(value))
            .map_err(|error| error.at(&key))
    }
}
