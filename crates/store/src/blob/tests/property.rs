//! Reading is slicing.

use std::sync::Arc;

use bytes::Bytes;
use longshore_types::digest::Digest;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::suite::{content, fresh_id, new_segment};
use super::super::{Cipher, NewSegment};
use super::{FileRig, block_on};
use crate::hash::UploadHash;

fn any_cipher() -> impl Strategy<Value = Cipher> {
    prop_oneof![Just(Cipher::Aes256Gcm), Just(Cipher::None)]
}

fn between(
    bytes: &Bytes,
    one: prop::sample::Index,
    two: prop::sample::Index,
) -> std::ops::Range<usize> {
    let (one, two) = (one.index(bytes.len() + 1), two.index(bytes.len() + 1));
    one.min(two)..one.max(two)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_range_of_any_segment_is_the_slice(
        length in 1_usize..=1 << 20,
        piece in 1_usize..200_000,
        cipher in any_cipher(),
        ends in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 4),
    ) {
        block_on(async {
            let files = FileRig::new(cipher);
        let rig = &files.rig;
            let content = content(length);
            let finished = rig.write(fresh_id(), &content, piece).await.unwrap();
            assert_eq!(finished.hash.sha256()[..], Sha256::digest(&content)[..]);
            rig.assert_reads(&finished.row, &content, 0..length).await;
            for (one, two) in ends {
                rig.assert_reads(&finished.row, &content, between(&content, one, two)).await;
            }
        });
    }

    #[test]
    fn any_range_of_a_blob_of_segments_is_the_slice(
        lengths in prop::collection::vec(1_usize..200_000, 1..5),
        cipher in any_cipher(),
        one in any::<prop::sample::Index>(),
        two in any::<prop::sample::Index>(),
    ) {
        block_on(async {
            let files = FileRig::new(cipher);
        let rig = &files.rig;
            let whole = content(lengths.iter().sum());
            let (mut rows, mut rest, mut start) = (Vec::new(), whole.clone(), 0);
            let mut saved = UploadHash::new(None).save();
            for length in lengths {
                let hash = UploadHash::restore(&saved).unwrap();
                let segment = NewSegment { start, hash, ..new_segment(fresh_id()) };
                let mut writer = rig.blobs.create(&rig.keys, segment).await.unwrap();
                writer.write(rest.split_to(length)).await.unwrap();
                let finished = writer.finish().await.unwrap();
                saved = finished.hash.save();
                start += length as u64;
                rows.push(finished.row);
            }
            let digest = Digest::sha256(Sha256::digest(&whole).into());
            assert_eq!(UploadHash::restore(&saved).unwrap().finish().0, digest);
            if cipher == Cipher::Aes256Gcm {
                let last = rig.blobs.recover(rig.blobs.store_id(), rows.last().unwrap().physical_id, &rig.keys).await.unwrap();
                assert_eq!(last.upload_sha256, digest);
                assert_eq!(Some(&last.row), rows.last());
            }
            let range = between(&whole, one, two);
            let read = range.start as u64..range.end as u64;
            let mut stream = rig.blobs.read_blob(rows, Arc::clone(&rig.keys), &read).unwrap();
            let mut bytes = Vec::new();
            while let Some(next) = stream.next().await {
                bytes.extend_from_slice(&next.unwrap());
            }
            assert!(bytes == whole[range]);
        });
    }
}
