//! What hashing and sealing cost alone, with the fastest code at hand: the floor of a push.

use anyhow::{Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};

use crate::measure::{float, thread_cpu_seconds};
use crate::payload::random;

const FRAME: usize = 64 << 10;
const SOURCE: usize = 64 << 20;
const PASSES: u64 = 4;

/// Returns the processor seconds that SHA-256 and AES-256-GCM over one GiB take on this machine, now.
pub fn cpu_seconds_per_gib(seed: u64) -> Result<f64> {
    let source = random(SOURCE, seed);
    let key =
        UnboundKey::new(&AES_256_GCM, &random(32, seed)).map_err(|_| anyhow!("unusable key"))?;
    let key = LessSafeKey::new(key);
    let before = thread_cpu_seconds();
    let mut hash = Context::new(&SHA256);
    for pass in 0..PASSES {
        hash_and_seal(&source, pass, &mut hash, &key)?;
    }
    std::hint::black_box(hash.finish());
    let used = thread_cpu_seconds() - before;
    Ok(used * float(1 << 30) / float(PASSES * SOURCE as u64))
}

fn hash_and_seal(source: &[u8], pass: u64, hash: &mut Context, key: &LessSafeKey) -> Result<()> {
    let mut frame = Vec::with_capacity(FRAME + AES_256_GCM.tag_len());
    for (index, bytes) in (0_u32..).zip(source.chunks(FRAME)) {
        hash.update(bytes);
        frame.clear();
        frame.extend_from_slice(bytes);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&pass.to_le_bytes());
        nonce[8..].copy_from_slice(&index.to_le_bytes());
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut frame,
        )
        .map_err(|_| anyhow!("sealing failed"))?;
        std::hint::black_box(&frame);
    }
    Ok(())
}
