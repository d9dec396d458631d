//! Serde through the text form, so that no value enters by a door other than its `FromStr`.

/// Implements `Serialize` by `Display` and `Deserialize` by `FromStr`.
macro_rules! serde_as_text {
    ($type:ty, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

pub(crate) use serde_as_text;

#[cfg(test)]
pub(crate) mod tests {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// Asserts that `text` parses, prints as itself, and passes through JSON unchanged.
    pub(crate) fn assert_round_trip<T>(text: &str) -> T
    where
        T: FromStr + Display + Debug + PartialEq + Serialize + DeserializeOwned,
        T::Err: Debug,
    {
        let value: T = text.parse().unwrap();
        assert_eq!(value.to_string(), text);
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(json, serde_json::to_string(text).unwrap());
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
        value
    }

    /// Asserts that `text` is refused by `FromStr` and by serde alike.
    pub(crate) fn assert_refused<T>(text: &str)
    where
        T: FromStr + Debug + DeserializeOwned,
        T::Err: Debug,
    {
        assert!(text.parse::<T>().is_err(), "accepted {text:?}");
        let json = serde_json::to_string(text).unwrap();
        assert!(
            serde_json::from_str::<T>(&json).is_err(),
            "serde accepted {text:?}"
        );
    }
}
