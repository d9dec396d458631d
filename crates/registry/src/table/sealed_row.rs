//! The rows that are sealed under a domain's keys, of all domains, for whoever seals them anew.
//!
//! They are gone through in an order in which nothing moves backwards: an upload becomes a blob, a move's target becomes a
//! blob's content, an image becomes an expired one.

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::id::DomainId;

use super::args;

/// The start of what has none.
const NO_START: &str = "CAST(0 AS BIGINT)";

/// A kind of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    UploadHash,
    UploadPiece,
    UploadSegment,
    MoveHash,
    MoveSegment,
    BlobPiece,
    BlobSegment,
    Manifest,
    ExpiredManifest,
}

/// Where one has come to among the rows of a kind: the key of what a row hangs on, and the row's own start in that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) owner: (Vec<u8>, Vec<u8>),
    pub(crate) start: i64,
}

/// A row, without what it has sealed.
#[derive(Clone, Debug)]
pub(crate) struct SealedRow {
    pub(crate) place: Place,
    /// The content or segment that it is of, where it is of one.
    pub(crate) of: Vec<u8>,
    pub(crate) domain: DomainId,
    /// The version of the key that sealed it; nothing when what is there is too short to have one.
    pub(crate) version: Option<u32>,
}

impl Row for SealedRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let version = match columns.opt_int(5)? {
            Some(version) => u32::try_from(version).ok(),
            None => columns.blob(6)?.try_into().ok().map(u32::from_be_bytes),
        };
        Ok(Self {
            place: Place {
                owner: (columns.blob(0)?.to_vec(), columns.blob(1)?.to_vec()),
                start: columns.int(2)?,
            },
            of: columns.blob(3)?.to_vec(),
            domain: DomainId::from_slice(columns.blob(4)?)
                .map_err(|_| Error::corrupt("domain.id"))?,
            version,
        })
    }
}

/// What a row has sealed.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Bytes with the version of their key in front.
    Sealed(Vec<u8>),
    /// A segment's wrapped data key, and the version of the key that wraps it.
    Wrapped(u32, Vec<u8>),
}

impl Content {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        let (Self::Sealed(bytes) | Self::Wrapped(_, bytes)) = self;
        bytes.len()
    }
}

/// How the rows of a kind are found.
struct Scan {
    from: &'static str,
    owner: (&'static str, &'static str),
    start: &'static str,
    of: &'static str,
    domain: &'static str,
    /// What holds the version: `key_version`, or the first bytes of what is sealed.
    sealed: Option<&'static str>,
    only: &'static str,
}

impl Kind {
    /// All of them, in the order in which they are gone through.
    pub(crate) const ALL: [Self; 9] = [
        Self::UploadHash,
        Self::UploadPiece,
        Self::UploadSegment,
        Self::MoveHash,
        Self::MoveSegment,
        Self::BlobPiece,
        Self::BlobSegment,
        Self::Manifest,
        Self::ExpiredManifest,
    ];

    fn scan(self) -> Scan {
        const UPLOAD: (&str, &str) = ("u.incarnation", "u.id");
        const MOVE: (&str, &str) = ("m.domain", "m.digest");
        const BLOB: (&str, &str) = ("b.domain", "b.digest");
        const IMAGE: (&str, &str) = ("i.incarnation", "i.digest");
        let (from, owner, domain) = match self {
            Self::UploadHash => (
                "upload u JOIN repository r ON r.incarnation = u.incarnation",
                UPLOAD,
                "r.domain",
            ),
            Self::UploadPiece => (
                "upload u JOIN repository r ON r.incarnation = u.incarnation JOIN inline_piece p ON p.content = u.id",
                UPLOAD,
                "r.domain",
            ),
            Self::UploadSegment => (
                "upload u JOIN repository r ON r.incarnation = u.incarnation JOIN segment s ON s.content = u.id",
                UPLOAD,
                "r.domain",
            ),
            Self::MoveHash => ("relocation m", MOVE, "m.domain"),
            Self::MoveSegment => (
                "relocation m JOIN segment s ON s.content = m.target",
                MOVE,
                "m.domain",
            ),
            Self::BlobPiece => (
                "blob b JOIN inline_piece p ON p.content = b.content",
                BLOB,
                "b.domain",
            ),
            Self::BlobSegment => (
                "blob b JOIN segment s ON s.content = b.content",
                BLOB,
                "b.domain",
            ),
            Self::Manifest => (
                "image i JOIN repository r ON r.incarnation = i.incarnation",
                IMAGE,
                "r.domain",
            ),
            Self::ExpiredManifest => (
                "expired_image i JOIN repository r ON r.incarnation = i.incarnation",
                IMAGE,
                "r.domain",
            ),
        };
        let (start, of, sealed, only) = match self {
            Self::UploadHash => (NO_START, "u.id", Some("u.hash"), " AND u.hash IS NOT NULL"),
            Self::MoveHash => (
                NO_START,
                "m.target",
                Some("m.hash"),
                " AND m.hash IS NOT NULL",
            ),
            Self::UploadPiece | Self::BlobPiece => ("p.start", "p.content", Some("p.sealed"), ""),
            Self::UploadSegment | Self::MoveSegment | Self::BlobSegment => {
                ("s.start", "s.physical", None, " AND s.cipher = 1")
            }
            Self::Manifest | Self::ExpiredManifest => {
                (NO_START, "i.digest", Some("i.manifest"), "")
            }
        };
        Scan {
            from,
            owner,
            start,
            of,
            domain,
            sealed,
            only,
        }
    }

    /// Returns up to `limit` rows after a place.
    pub(crate) fn after(
        self,
        tx: &mut dyn Tx,
        place: Option<&Place>,
        limit: i64,
    ) -> Result<Vec<SealedRow>> {
        let scan = self.scan();
        let (first, second) = scan.owner;
        let version = match scan.sealed {
            Some(sealed) => format!("CAST(NULL AS BIGINT), substr({sealed}, 1, 4)"),
            None => "s.key_version, NULL".to_owned(),
        };
        let nowhere = Place {
            start: -1,
            ..Place::default()
        };
        let place = place.unwrap_or(&nowhere);
        let sql = format!(
            "SELECT {first}, {second}, {start}, {of}, {domain}, {version} FROM {from} \
             WHERE ({first}, {second}) >= (?1, ?2) AND NOT ({first} = ?1 AND {second} = ?2 AND {start} <= CAST(?3 AS BIGINT)){only} \
             ORDER BY {first}, {second}, {order} LIMIT ?4",
            start = scan.start,
            order = if scan.start == NO_START {
                first
            } else {
                scan.start
            },
            of = scan.of,
            domain = scan.domain,
            from = scan.from,
            only = scan.only,
        );
        tx.rows(
            &sql,
            args![&place.owner.0, &place.owner.1, place.start, limit],
        )
    }

    /// How many rows there are, but that those of uploads and blobs are counted with either.
    pub(crate) fn count(self, tx: &mut dyn Tx) -> Result<i64> {
        let table = match self {
            Self::UploadHash => "upload",
            Self::BlobPiece => "inline_piece",
            Self::BlobSegment => "segment",
            Self::Manifest => "image",
            Self::ExpiredManifest => "expired_image",
            Self::UploadPiece | Self::UploadSegment | Self::MoveHash | Self::MoveSegment => {
                return Ok(0);
            }
        };
        tx.count(&format!("SELECT COUNT(*) FROM {table}"), args![])
    }

    /// Whether the rows are segments.
    pub(crate) const fn is_segment(self) -> bool {
        matches!(
            self,
            Self::UploadSegment | Self::MoveSegment | Self::BlobSegment
        )
    }

    /// Returns what a row has sealed, if it is still there.
    pub(crate) fn content(self, tx: &mut dyn Tx, row: &SealedRow) -> Result<Option<Content>> {
        if self.is_segment() {
            let sql = "SELECT key_version, wrapped_key FROM segment WHERE physical = ?1";
            let found: Option<(i64, Vec<u8>)> = tx.row(sql, args![&row.of])?;
            let wrapped = |(version, wrapped)| {
                let version = u32::try_from(version);
                let version = version.map_err(|_| Error::corrupt("segment.key_version"))?;
                Ok(Content::Wrapped(version, wrapped))
            };
            return found.map(wrapped).transpose();
        }
        let (table, column, key) = self.sealed();
        let sql = format!("SELECT {column} FROM {table} WHERE {key}");
        let key = self.key(row);
        Ok(tx.row(&sql, &key)?.map(Content::Sealed))
    }

    /// Puts `new` in the place of `old`, if the row still has that.
    pub(crate) fn replace(
        self,
        tx: &mut dyn Tx,
        row: &SealedRow,
        old: &Content,
        new: &Content,
    ) -> Result<()> {
        match (old, new) {
            (Content::Wrapped(before, _), Content::Wrapped(version, wrapped)) => tx.execute(
                "UPDATE segment SET key_version = ?3, wrapped_key = ?4 WHERE physical = ?1 AND key_version = ?2",
                args![&row.of, i64::from(*before), i64::from(*version), wrapped],
            ),
            (Content::Sealed(before), Content::Sealed(sealed)) => {
                let (table, column, key) = self.sealed();
                let sql =
                    format!("UPDATE {table} SET {column} = ?3 WHERE {key} AND {column} = ?4");
                let [first, second] = self.key(row);
                tx.execute(&sql, &[first, second, sealed.into(), before.into()])
            }
            _ => Err(Error::corrupt("a segment and what is none")),
        }
        .map(drop)
    }

    /// The table and column that hold what is sealed, and its key.
    const fn sealed(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::UploadHash => ("upload", "hash", "incarnation = ?1 AND id = ?2"),
            Self::MoveHash => ("relocation", "hash", "domain = ?1 AND digest = ?2"),
            Self::ExpiredManifest => (
                "expired_image",
                "manifest",
                "incarnation = ?1 AND digest = ?2",
            ),
            Self::Manifest => ("image", "manifest", "incarnation = ?1 AND digest = ?2"),
            _ => ("inline_piece", "sealed", "content = ?1 AND start = ?2"),
        }
    }

    fn key(self, row: &SealedRow) -> [Value<'_>; 2] {
        match self {
            Self::UploadPiece | Self::BlobPiece => {
                [Value::from(&row.of), Value::from(row.place.start)]
            }
            _ => {
                let (first, second) = &row.place.owner;
                [Value::from(first), Value::from(second)]
            }
        }
    }
}
