//! Leases: images that are in use, which no lifecycle policy removes until a time.

use longshore_store::meta::{Result, Tx, Value};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::{ROWS_PER_STATEMENT, args, placeholders, repository_copy::change};

/// Leases images until `until`, or for longer where they are already.
pub(crate) fn raise(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
    until: Timestamp,
) -> Result<()> {
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(until)];
        args.extend(keys.iter().map(Value::from));
        let row = |idx: usize| format!("(?1, ?{}, ?2)", idx + 3);
        let rows: Vec<String> = (0..chunk.len()).map(row).collect();
        let sql = format!(
            "INSERT INTO image_lease (incarnation, image, expires_at) VALUES {} ON CONFLICT (incarnation, image) \
             DO UPDATE SET expires_at = excluded.expires_at WHERE image_lease.expires_at < excluded.expires_at",
            rows.join(", ")
        );
        tx.execute(&sql, &args)?;
    }
    change::note(tx, incarnation, images, [])
}

/// Returns the leases of those of `images` that have one, ended or not.
pub(crate) fn of_images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
) -> Result<Vec<(Digest, Timestamp)>> {
    let mut found = Vec::with_capacity(images.len());
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let sql = format!(
            "SELECT image, expires_at FROM image_lease WHERE incarnation = ?1 AND image IN ({}) ORDER BY image",
            placeholders(1, keys.len())
        );
        found.extend(times(tx.rows(&sql, &args)?));
    }
    Ok(found)
}

/// Returns up to `limit` leases that have not ended, in order of image, after `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &[u8],
    limit: i64,
) -> Result<Vec<(Digest, Timestamp)>> {
    let now = tx.now();
    let rows = tx.rows(
        "SELECT image, expires_at FROM image_lease WHERE incarnation = ?1 AND image > ?2 AND expires_at > ?3 \
         ORDER BY image LIMIT ?4",
        args![incarnation.as_bytes(), after, now, limit],
    )?;
    Ok(times(rows))
}

fn times(rows: Vec<(Digest, i64)>) -> Vec<(Digest, Timestamp)> {
    let time = |(image, at)| (image, Timestamp::from_millis(at));
    rows.into_iter().map(time).collect()
}

/// Whether an image is leased at the time `now`.
pub(crate) fn holds(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    now: Timestamp,
) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM image_lease WHERE incarnation = ?1 AND image = ?2 AND expires_at > ?3) \
         THEN 1 ELSE 0 END";
    let held = tx.count(sql, args![incarnation.as_bytes(), &image.to_key(), now])?;
    Ok(held == 1)
}

/// Whether a lease has ended by the time `now` that is not forgotten.
pub(crate) fn any_ended(tx: &mut dyn Tx, now: Timestamp) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM image_lease WHERE expires_at <= ?1) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![now])? == 1)
}

/// Forgets up to `limit` leases that have ended by the time `now`; returns how many.
pub(crate) fn forget(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM image_lease WHERE expires_at <= ?1 AND (incarnation, image) IN \
         (SELECT incarnation, image FROM image_lease WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        args![now, limit],
    )
}
