//! Results of statements.

use longshore_types::digest::Digest;
use longshore_types::id::{
    ContentId, CopyId, DomainId, EvaluationId, Incarnation, PhysicalId, UploadId,
};
use longshore_types::time::Timestamp;

use super::error::{Error, Result};

/// The columns of the row that a statement stands on, counted from 0.
///
/// Asking for another type than the one stored is [`super::Error::Corrupt`].
pub trait Columns {
    /// Returns an integer.
    fn int(&self, idx: usize) -> Result<i64>;
    /// Returns a text.
    fn text(&self, idx: usize) -> Result<&str>;
    /// Returns bytes.
    fn blob(&self, idx: usize) -> Result<&[u8]>;
    /// Returns whether the column is NULL.
    fn is_null(&self, idx: usize) -> Result<bool>;

    /// Returns an integer, or nothing for NULL.
    fn opt_int(&self, idx: usize) -> Result<Option<i64>> {
        if self.is_null(idx)? {
            Ok(None)
        } else {
            self.int(idx).map(Some)
        }
    }

    /// Returns a text, or nothing for NULL.
    fn opt_text(&self, idx: usize) -> Result<Option<&str>> {
        if self.is_null(idx)? {
            Ok(None)
        } else {
            self.text(idx).map(Some)
        }
    }

    /// Returns bytes, or nothing for NULL.
    fn opt_blob(&self, idx: usize) -> Result<Option<&[u8]>> {
        if self.is_null(idx)? {
            Ok(None)
        } else {
            self.blob(idx).map(Some)
        }
    }
}

/// A value that is read from one row.
pub trait Row: Sized {
    /// Reads the value from the columns of a row.
    fn read(columns: &dyn Columns) -> Result<Self>;
}

/// A value that is read from one column; what tuples of columns are made of.
pub trait Column: Sized {
    /// Reads the value from column `idx`.
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self>;
}

impl Column for i64 {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        columns.int(idx)
    }
}

impl Column for bool {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        Ok(columns.int(idx)? != 0)
    }
}

impl Column for Timestamp {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        columns.int(idx).map(Self::from_millis)
    }
}

impl Column for String {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        columns.text(idx).map(str::to_owned)
    }
}

impl Column for Vec<u8> {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        columns.blob(idx).map(<[u8]>::to_vec)
    }
}

macro_rules! id_columns {
    ($($id:ident),+) => {
        $(impl Column for $id {
            fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
                Self::from_slice(columns.blob(idx)?).map_err(|_| Error::corrupt(stringify!($id)))
            }
        })+
    };
}

id_columns!(
    ContentId,
    CopyId,
    DomainId,
    EvaluationId,
    Incarnation,
    PhysicalId,
    UploadId
);

impl Column for Digest {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        Self::from_key(columns.blob(idx)?).map_err(|_| Error::corrupt("a digest"))
    }
}

impl<T: Column> Column for Option<T> {
    fn read_at(columns: &dyn Columns, idx: usize) -> Result<Self> {
        if columns.is_null(idx)? {
            Ok(None)
        } else {
            T::read_at(columns, idx).map(Some)
        }
    }
}

impl<T: Column> Row for T {
    fn read(columns: &dyn Columns) -> Result<Self> {
        T::read_at(columns, 0)
    }
}

macro_rules! tuple_rows {
    ($($name:ident $idx:literal),+) => {
        impl<$($name: Column),+> Row for ($($name,)+) {
            fn read(columns: &dyn Columns) -> Result<Self> {
                Ok(($($name::read_at(columns, $idx)?,)+))
            }
        }
    };
}

tuple_rows!(A 0, B 1);
tuple_rows!(A 0, B 1, C 2);
tuple_rows!(A 0, B 1, C 2, D 3);
tuple_rows!(A 0, B 1, C 2, D 3, F 4);
tuple_rows!(A 0, B 1, C 2, D 3, F 4, G 5);
