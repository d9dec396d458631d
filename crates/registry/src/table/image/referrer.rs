//! Images that refer to a subject.

use longshore_store::meta::{Row, Tx, Value};
use longshore_types::digest::Digest;

use super::digest;
use crate::{
    authz::Grant,
    table::{
        args,
        guard::Versions,
        guarded,
        image_storage::{Status, StatusFilter},
        placeholders,
    },
};

/// An image that refers to a subject.
#[derive(Clone, Debug)]
pub(crate) struct Referrer {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) artifact_type: Option<String>,
    pub(crate) bytes: i64,
    pub(crate) annotations: Option<String>,
    pub(crate) status: Status,
}

/// How many bytes of annotations one page of referrers holds; the page ends early rather than grow beyond.
const REFERRERS_BYTES: usize = 2 * 1024 * 1024;

/// Returns up to `limit` referrers of `subject` in order of digest, after `after`, of a status, filtered by artifact types if any.
/// One statement.
pub(crate) fn referrers(
    tx: &mut dyn Tx,
    grant: &Grant,
    subject: &Digest,
    (types, images): (&[String], StatusFilter),
    after: &[u8],
    limit: usize,
) -> crate::Result<(Vec<Referrer>, bool)> {
    let incarnation = grant.repository()?.incarnation;
    let account = grant.guard_account();
    let key = subject.to_key();
    let filter = if types.is_empty() {
        String::new()
    } else {
        format!("AND i.artifact_type IN ({})", placeholders(4, types.len()))
    };
    let sql = format!(
        guarded!(
            "i.digest, i.media_type, i.artifact_type, i.manifest_bytes, i.annotations, a.status",
            "LEFT JOIN image i ON i.incarnation = r.incarnation AND i.subject = ?3 AND i.digest > ?4 {} {} \
             LEFT JOIN image_storage a ON a.incarnation = i.incarnation AND a.image = i.digest",
            "ORDER BY i.digest LIMIT {}"
        ),
        filter,
        images.condition("i.incarnation", "i.digest"),
        limit + 1
    );
    let mut args = args![account, incarnation.as_bytes(), &key, after].to_vec();
    args.extend(types.iter().map(Value::from));
    let (mut versions, mut found, mut weight, mut rows) = (None, Vec::new(), 0, 0);
    tx.query(&sql, &args, &mut |columns| {
        versions = Some(Versions::read(columns)?);
        let annotations = columns.opt_text(7)?;
        rows += usize::from(!columns.is_null(3)?);
        weight += annotations.map_or(0, str::len);
        if !columns.is_null(3)? && (weight <= REFERRERS_BYTES || found.is_empty()) {
            found.push(Referrer {
                digest: digest(columns, 3)?,
                media_type: columns.text(4)?.to_owned(),
                artifact_type: columns.opt_text(5)?.map(str::to_owned),
                bytes: columns.int(6)?,
                annotations: annotations.map(str::to_owned),
                status: Status::of(columns.opt_int(8)?)?,
            });
        }
        Ok(())
    })?;
    grant.check(versions)?;
    let more = rows > found.len().min(limit);
    found.truncate(limit);
    Ok((found, more))
}
