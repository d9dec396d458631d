//! A serde serializer that writes outputs as AWS's XML.
//!
//! A structure's members are elements; a list's items are `<member>`, a map's pairs `<entry>` of `<key>` and `<value>`.
//! What is absent has no element. Points in time are the only fractions in these services, so that a fraction is
//! written as a time: whole seconds in ISO 8601.

use std::fmt;

use longshore_types::time::Timestamp;
use serde::{
    Deserialize, Serialize, Serializer,
    de::{IntoDeserializer, value::F64Deserializer},
    ser::{self, Impossible},
};

/// An output holds what XML has no form for: a mistake of this program.
#[derive(Debug)]
pub struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not writable as XML: {}", self.0)
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

impl serde::de::Error for Unwritable {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

/// Appends `value` as the element `name`, or nothing when it is absent.
pub fn write<T: Serialize + ?Sized>(
    out: &mut String,
    name: &str,
    value: &T,
) -> Result<(), Unwritable> {
    value.serialize(Element { out, name })
}

/// Appends an element that holds text.
pub fn write_text(out: &mut String, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Characters that XML 1.0 cannot hold, not even escaped, become U+FFFD; a carriage return would be read as a line feed.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

/// The element that a value becomes.
struct Element<'a> {
    out: &'a mut String,
    name: &'a str,
}

impl<'a> Element<'a> {
    fn parent(self) -> Parent<'a> {
        open(self.out, self.name);
        Parent {
            out: self.out,
            name: self.name,
        }
    }
}

/// An element whose children are being written.
struct Parent<'a> {
    out: &'a mut String,
    name: &'a str,
}

impl Parent<'_> {
    fn child<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unwritable> {
        write(self.out, name, value)
    }
}

macro_rules! texts {
    ($($method:ident $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Unwritable> {
            self.serialize_str(&value.to_string())
        })*
    };
}

macro_rules! unwritable {
    ($($method:ident($($type:ty),*) -> $out:ty;)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$out, Unwritable> {
            Err(Unwritable(stringify!($method).to_owned()))
        })*
    };
}

impl<'a> Serializer for Element<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Parent<'a>;
    type SerializeMap = Parent<'a>;
    type SerializeStruct = Parent<'a>;
    type SerializeTuple = Parent<'a>;
    type SerializeTupleStruct = Impossible<(), Unwritable>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeStructVariant = Impossible<(), Unwritable>;

    texts! {
        serialize_bool bool,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_char char,
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unwritable> {
        let seconds: F64Deserializer<Unwritable> = value.into_deserializer();
        let time = Timestamp::deserialize(seconds)?;
        self.serialize_str(&time.to_rfc3339())
    }

    fn serialize_str(self, value: &str) -> Result<(), Unwritable> {
        write_text(self.out, self.name, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unwritable> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwritable> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unwritable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unwritable> {
        Err(Unwritable("a variant with a value".to_owned()))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parent<'a>, Unwritable> {
        Ok(self.parent())
    }

    // An array, which is a list of a length that is always the same.
    fn serialize_tuple(self, _: usize) -> Result<Parent<'a>, Unwritable> {
        Ok(self.parent())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parent<'a>, Unwritable> {
        Ok(self.parent())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parent<'a>, Unwritable> {
        Ok(self.parent())
    }

    unwritable! {
        serialize_f32(f32) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_tuple_struct(&'static str, usize) -> Impossible<(), Unwritable>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unwritable>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), Unwritable>;
    }
}

impl ser::SerializeSeq for Parent<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.child("member", value)
    }

    fn end(self) -> Result<(), Unwritable> {
        close(self.out, self.name);
        Ok(())
    }
}

impl ser::SerializeTuple for Parent<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.child("member", value)
    }

    fn end(self) -> Result<(), Unwritable> {
        close(self.out, self.name);
        Ok(())
    }
}

impl ser::SerializeMap for Parent<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        open(self.out, "entry");
        self.child("key", key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.child("value", value)?;
        close(self.out, "entry");
        Ok(())
    }

    fn end(self) -> Result<(), Unwritable> {
        close(self.out, self.name);
        Ok(())
    }
}

impl ser::SerializeStruct for Parent<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        self.child(name, value)
    }

    fn end(self) -> Result<(), Unwritable> {
        close(self.out, self.name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Sample {
        user_name: &'static str,
        boundary: Option<&'static str>,
        create_date: Timestamp,
        is_truncated: bool,
        size: i64,
        tags: Vec<Tag>,
        names: Vec<&'static str>,
        summary: BTreeMap<&'static str, i64>,
        nothing: (),
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: &'static str,
    }

    fn written(value: &impl Serialize) -> String {
        let mut out = String::new();
        write(&mut out, "R", value).unwrap();
        out
    }

    #[test]
    fn every_shape_has_its_form() {
        let sample = Sample {
            user_name: "bob",
            boundary: None,
            create_date: Timestamp::from_millis(1_709_251_199_999),
            is_truncated: false,
            size: -7,
            tags: vec![Tag { key: "a" }, Tag { key: "b" }],
            names: Vec::new(),
            summary: BTreeMap::from([("Users", 1)]),
            nothing: (),
        };
        assert_eq!(
            written(&sample),
            "<R><UserName>bob</UserName><CreateDate>2024-02-29T23:59:59Z</CreateDate><IsTruncated>false</IsTruncated>\
             <Size>-7</Size><Tags><member><Key>a</Key></member><member><Key>b</Key></member></Tags><Names></Names>\
             <Summary><entry><key>Users</key><value>1</value></entry></Summary></R>"
        );
        assert_eq!(written(&()), "");
        assert_eq!(
            written(&[1, 2]),
            "<R><member>1</member><member>2</member></R>"
        );
    }

    #[test]
    fn text_is_escaped_and_what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            written(&"<a b='\"'>&\r\n\t\u{1}é"),
            "<R>&lt;a b=&apos;&quot;&apos;&gt;&amp;&#13;\n\t\u{fffd}é</R>"
        );
    }
}
