//! Values on their way to PostgreSQL and back: BIGINT, TEXT and BYTEA, and what expressions make of them.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::failure::Mismatch;
use crate::meta::error::{Error, Result};
use crate::meta::row::Columns;
use crate::meta::value::Value;

type Failed = Box<dyn std::error::Error + Sync + Send>;

/// The type that an argument has unless a statement says otherwise; what NULL is, the statement decides.
pub(super) fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

/// Whether an argument can go where a prepared statement takes `ty`.
pub(super) fn fits(value: &Value<'_>, ty: &Type) -> bool {
    *value == Value::Null || type_of(value) == *ty
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(int) if *ty == Type::INT8 => int.to_sql(ty, out),
            Self::Text(text) if *ty == Type::TEXT => text.to_sql(ty, out),
            Self::Blob(blob) if *ty == Type::BYTEA => blob.to_sql(ty, out),
            Self::Int(_) | Self::Text(_) | Self::Blob(_) => {
                Err(Mismatch(format!("an argument does not fit {ty}")).into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row as the closure sees it.
pub(super) struct RowColumns<'r>(pub(super) &'r Row);

impl<'r> RowColumns<'r> {
    fn get<T: FromSql<'r>>(&self, idx: usize, wanted: &str) -> Result<T> {
        match self.0.try_get::<_, Option<T>>(idx) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Error::corrupt(format!(
                "column {idx} holds nothing instead of {wanted}"
            ))),
            Err(_) => Err(Error::corrupt(format!(
                "column {idx} does not hold {wanted}"
            ))),
        }
    }
}

impl Columns for RowColumns<'_> {
    fn int(&self, idx: usize) -> Result<i64> {
        self.get::<Int>(idx, "an integer").map(|Int(int)| int)
    }

    fn text(&self, idx: usize) -> Result<&str> {
        self.get(idx, "text")
    }

    fn blob(&self, idx: usize) -> Result<&[u8]> {
        self.get(idx, "bytes")
    }

    fn is_null(&self, idx: usize) -> Result<bool> {
        match self.0.try_get::<_, Option<Anything>>(idx) {
            Ok(value) => Ok(value.is_none()),
            Err(error) => Err(Error::engine(error)),
        }
    }
}

/// A value of any type.
struct Anything;

impl<'a> FromSql<'a> for Anything {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Failed> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Whatever PostgreSQL makes of integers: literals are INTEGER, sums NUMERIC, comparisons BOOLEAN.
struct Int(i64);

impl<'a> FromSql<'a> for Int {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        let int = match *ty {
            Type::INT8 => i64::from_sql(ty, raw)?,
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            Type::BOOL => bool::from_sql(ty, raw)?.into(),
            _ => numeric(raw).ok_or_else(|| Mismatch("not a whole number".to_owned()))?,
        };
        Ok(Self(int))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::NUMERIC)
    }
}

/// Reads a NUMERIC (`numeric_send` of PostgreSQL): count of digits, weight of the first, sign, scale, then digits of base 10,000.
fn numeric(raw: &[u8]) -> Option<i64> {
    let mut words = raw
        .chunks_exact(2)
        .map(|word| word.try_into().map(i16::from_be_bytes).unwrap_or_default());
    let (n_digits, weight, sign, _) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut total: i128 = 0;
    let mut digits = words.take(usize::try_from(n_digits).ok()?);
    for _ in 0..=weight {
        total = total.checked_mul(10_000)? + i128::from(digits.next().unwrap_or(0));
    }
    if digits.any(|digit| digit != 0) {
        return None;
    }
    match sign {
        0 => i64::try_from(total).ok(),
        0x4000 => i64::try_from(-total).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[i16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_whole_numeric_is_an_integer() {
        assert_eq!(numeric(&words(&[0, 0, 0, 0])), Some(0));
        assert_eq!(numeric(&words(&[1, 0, 0, 0, 42])), Some(42));
        assert_eq!(numeric(&words(&[1, 1, 0, 0, 3])), Some(30_000));
        assert_eq!(numeric(&words(&[2, 1, 0x4000, 0, 1, 5])), Some(-10_005));
        let max = [5, 4, 0, 0, 922, 3372, 368, 5477, 5807];
        assert_eq!(numeric(&words(&max)), Some(i64::MAX));
    }

    #[test]
    fn no_other_numeric_is() {
        let over = [5, 4, 0, 0, 922, 3372, 368, 5477, 5808];
        assert_eq!(numeric(&words(&over)), None);
        assert_eq!(numeric(&words(&[2, 0, 0, 1, 1, 5000])), None);
        assert_eq!(numeric(&words(&[0, 0, i16::MIN | 0x4000, 0])), None);
        assert_eq!(numeric(&[]), None);
    }
}
