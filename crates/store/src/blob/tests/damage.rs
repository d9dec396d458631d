//! Whatever happens to a file, wrong plaintext never comes out of it.

use super::super::fuzz::{fuzz_segment, open_whole, read_whole};
use super::super::pool::FRAME_LEN;
use super::super::row::SegmentRow;
use super::super::suite::domain_keys;
use super::super::{BlobError, Cipher, Damage};
use super::{FileRig, block_on};
use crate::crypto::CryptoError;

const SIZE: usize = 3 * FRAME_LEN + 1000;
const STORED_FRAME: usize = 12 + FRAME_LEN + 16;

fn assert_refused(rig: &FileRig, row: &SegmentRow, file: &[u8], what: &str) {
    let read = read_whole(file, row, &rig.rig.keys);
    assert!(
        matches!(read, Err(BlobError::Damaged(..))),
        "{what}: {:?}",
        read.map(|_| ())
    );
    let opened = open_whole(file, row.physical_id, &rig.rig.keys);
    assert!(opened.is_err(), "{what} without its row");
}

#[test]
fn a_flipped_bit_anywhere_is_detected() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (row, content) = rig.rig.written(SIZE).await;
        let file = rig.file(row.physical_id);
        assert_eq!(read_whole(&file, &row, &rig.rig.keys).unwrap(), content);
        assert_eq!(
            open_whole(&file, row.physical_id, &rig.rig.keys).unwrap(),
            content
        );
        let edges = (0..=4).flat_map(|frame| {
            let start = row.header.len() + frame * STORED_FRAME;
            start.saturating_sub(20)..(start + 20).min(file.len())
        });
        let footer = file.len() - 150..file.len();
        let every = (0..file.len()).step_by(4999);
        for at in (0..row.header.len())
            .chain(edges)
            .chain(footer)
            .chain(every)
        {
            let mut bad = file.clone();
            bad[at] ^= 1 << (at % 8);
            assert_refused(&rig, &row, &bad, &format!("byte {at}"));
        }
    });
}

#[test]
fn a_torn_file_never_yields_wrong_plaintext() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (row, content) = rig.rig.written(SIZE).await;
        let file = rig.file(row.physical_id);
        for length in (0..file.len()).step_by(1000).chain([file.len() - 1]) {
            rig.overwrite(row.physical_id, &file[..length]);
            let (bytes, error) = rig.rig.read(&row, 0..row.size).await;
            assert!(
                matches!(error, Some(BlobError::Damaged(_, Damage::Truncated))),
                "{length}: {error:?}"
            );
            assert!(content.starts_with(&bytes), "{length}");
            assert!(
                rig.rig
                    .blobs
                    .recover(row.store, row.physical_id, &rig.rig.keys)
                    .await
                    .is_err(),
                "{length}"
            );
            // A hole where data was never written back reads as zeros.
            let mut holed = file[..length].to_vec();
            holed.resize(file.len(), 0);
            assert_refused(&rig, &row, &holed, &format!("zeros from {length}"));
        }
    });
}

#[test]
fn frames_cannot_change_places() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (row, _) = rig.rig.written(SIZE).await;
        let file = rig.file(row.physical_id);
        let start = row.header.len();
        let mut swapped = file.clone();
        let (first, second) = swapped[start..].split_at_mut(STORED_FRAME);
        first.swap_with_slice(&mut second[..STORED_FRAME]);
        assert_refused(&rig, &row, &swapped, "swapped");
        let mut repeated = file.clone();
        repeated.copy_within(start..start + STORED_FRAME, start + STORED_FRAME);
        assert_refused(&rig, &row, &repeated, "repeated");
        let mut shortened = file;
        shortened.drain(start + 2 * STORED_FRAME..start + 3 * STORED_FRAME);
        assert_refused(&rig, &row, &shortened, "dropped");
    });
}

#[test]
fn a_shorter_row_does_not_read_a_prefix_as_the_whole() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (mut row, _) = rig.rig.written(SIZE).await;
        for size in [FRAME_LEN, SIZE - 1, SIZE + 1, SIZE + FRAME_LEN] {
            row.size = size as u64;
            let (_, error) = rig.rig.read(&row, 0..row.size).await;
            assert!(
                matches!(error, Some(BlobError::Damaged(..))),
                "{size}: {error:?}"
            );
        }
    });
}

#[test]
fn files_cannot_stand_in_for_each_other() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (one, _) = rig.rig.written(SIZE).await;
        let (two, _) = rig.rig.written(SIZE).await;
        let file = rig.file(two.physical_id);
        assert_refused(&rig, &one, &file, "foreign file");
        rig.overwrite(one.physical_id, &file);
        // A range without the header meets the foreign file at its first frame.
        let range = FRAME_LEN as u64 * 2..FRAME_LEN as u64 * 2 + 1;
        let (bytes, error) = rig.rig.read(&one, range).await;
        assert!(bytes.is_empty());
        assert!(
            matches!(error, Some(BlobError::Damaged(_, Damage::Frame(2)))),
            "{error:?}"
        );
    });
}

#[test]
fn a_row_that_disagrees_with_its_header_is_refused() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (row, _) = rig.rig.written(SIZE).await;
        let (other, _) = rig.rig.written(SIZE).await;
        let change = |change: &dyn Fn(&mut SegmentRow)| {
            let mut changed = row.clone();
            change(&mut changed);
            changed
        };
        for (what, changed) in [
            ("id", change(&|row| row.physical_id = other.physical_id)),
            ("start", change(&|row| row.start = 1)),
            ("cipher", change(&|row| row.cipher = Cipher::None)),
            ("frame size", change(&|row| row.frame_size = 4096)),
            ("format", change(&|row| row.format = 2)),
            ("size", change(&|row| row.size = 0)),
            (
                "header",
                change(&|row| row.header.clone_from(&other.header)),
            ),
            ("longer header", change(&|row| row.header.push(0))),
            ("no header", change(&|row| row.header.clear())),
        ] {
            let (bytes, error) = rig.rig.read(&changed, 0..changed.size).await;
            assert!(
                bytes.is_empty() && matches!(error, Some(BlobError::Damaged(..))),
                "{what}: {error:?}"
            );
        }
        let foreign = rig.rig.blobs.read(&row, &domain_keys(2), 0..1).await;
        assert!(
            matches!(foreign, Err(BlobError::Damaged(_, Damage::Foreign))),
            "{foreign:?}"
        );
    });
}

#[test]
fn keys_come_from_the_row_and_may_be_rewrapped() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (mut row, content) = rig.rig.written(SIZE).await;
        let id = row.physical_id;
        let data_key = rig
            .rig
            .keys
            .unwrap_key(id, row.key_version, &row.wrapped_key)
            .unwrap();
        let keys = domain_keys(1).with(2, crate::crypto::SealingKey::from_bytes([2; 32]));
        (row.key_version, row.wrapped_key) = keys.wrap_key(id, &data_key).unwrap();
        assert_eq!(row.key_version, 2);
        assert_eq!(read_whole(&rig.file(id), &row, &keys).unwrap(), content);
        let (_, error) = rig.rig.read(&row, 0..1).await;
        assert!(
            matches!(error, Some(BlobError::Keys(_, CryptoError::KeyVersion(2)))),
            "{error:?}"
        );
        row.wrapped_key[40] ^= 1;
        let refused = rig.rig.blobs.read(&row, &keys, 0..1).await;
        assert!(
            matches!(refused, Err(BlobError::Keys(_, CryptoError::Open))),
            "{refused:?}"
        );
    });
}

#[test]
fn a_rotten_bare_object_never_completes() {
    block_on(async {
        let rig = FileRig::new(Cipher::None);
        let size = (5 << 19) + 10;
        let (row, content) = rig.rig.written(size).await;
        let id = row.physical_id;
        assert_eq!(rig.file(id), content);
        assert_eq!(row.checks.len(), 4 * 32);
        for at in [0, (1 << 20) - 1, 1 << 20, (1 << 21) + 5, size - 1] {
            let mut bad = content.to_vec();
            bad[at] ^= 4;
            rig.overwrite(id, &bad);
            let check = at as u64 >> 20;
            // The range ends before the rot, which is only known from the whole check.
            let start = check << 20;
            for range in [0..row.size, start..start + 1, start + 5..start + 10] {
                let (bytes, error) = rig.rig.read(&row, range.clone()).await;
                assert!(
                    matches!(error, Some(BlobError::Damaged(_, Damage::Check(index))) if index == check),
                    "byte {at}, {range:?}: {error:?}"
                );
                assert!((bytes.len() as u64) < range.end - range.start);
            }
            let before = 0..start;
            assert!(rig.rig.read(&row, before).await.1.is_none());
        }
        rig.overwrite(id, &content[..size - 1]);
        let (_, error) = rig.rig.read(&row, 0..row.size).await;
        assert!(matches!(
            error,
            Some(BlobError::Damaged(_, Damage::Truncated))
        ));
    });
}

#[test]
fn a_bare_object_without_all_its_checks_is_refused() {
    block_on(async {
        let rig = FileRig::new(Cipher::None);
        let (mut row, _) = rig.rig.written(3 << 19).await;
        row.checks.truncate(2 * 32);
        let (bytes, error) = rig.rig.read(&row, 0..row.size).await;
        assert!(
            matches!(error, Some(BlobError::Damaged(_, Damage::Check(1)))),
            "{error:?}"
        );
        assert!(bytes.len() < 3 << 19);
    });
}

#[test]
fn arbitrary_and_mutated_files_are_refused_under_a_wrong_key() {
    block_on(async {
        let rig = FileRig::new(Cipher::Aes256Gcm);
        let (row, _) = rig.rig.written(FRAME_LEN + 500).await;
        let file = rig.file(row.physical_id);
        fuzz_segment(&file);
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        for _ in 0..3000 {
            let mut data = file[..random(file.len() + 1)].to_vec();
            if random(4) == 0 {
                data.truncate(300);
            }
            // Most changes go to the header, which is what is parsed.
            for _ in 0..random(4) {
                let among = if random(2) == 0 {
                    row.header.len()
                } else {
                    file.len()
                };
                let at = random(among);
                if let Some(byte) = data.get_mut(at) {
                    *byte = u8::try_from(random(256)).unwrap();
                }
            }
            fuzz_segment(&data);
            if data != file {
                assert!(open_whole(&data, row.physical_id, &rig.rig.keys).is_err());
            }
        }
    });
}
