//! Prints what pushing and pulling a segment cost, as ratios to hashing and encrypting alone.
//!
//! `cargo run --release -p longshore-store --example blob_cpu [directory]`

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use longshore_store::blob::{Blobs, Cipher, FileStore, NewSegment, Pool, SegmentRow};
use longshore_store::crypto::{CryptoError, DomainKeys, SealingKey, random};
use longshore_store::hash::UploadHash;
use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId, UploadId};
use sha2::{Digest, Sha256};

const SIZE: usize = 512 << 20;
const FRAME: usize = 64 << 10;
/// What one read from a socket brings.
const PIECE: usize = 128 << 10;
const ROUNDS: usize = 3;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let directory = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("blob-cpu-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_time().build()?;
    let outcome = runtime.block_on(compare(&directory));
    fs::remove_dir_all(&directory)?;
    outcome
}

#[expect(clippy::print_stdout, reason = "the output is what it is for")]
async fn compare(directory: &Path) -> Result<(), Failure> {
    let data = Bytes::from(random_bytes()?);
    let store = Arc::new(FileStore::open(directory)?);
    let blobs = Blobs::new(store, 1, Cipher::Aes256Gcm, Pool::default());
    let keys = domain_keys()?;
    println!(
        "CPU and wall time; pushing against hashing and encrypting alone, pulling against encrypting alone"
    );
    for _ in 0..ROUNDS {
        let hash = timed(async { Ok(black_box(hash_alone(&data))) }).await?.0;
        let (seal, ()) = timed(async { seal_alone(&data) }).await?;
        let (push, row) = timed(push(&blobs, &keys, &data)).await?;
        let (pull, ()) = timed(pull(&blobs, &keys, &row)).await?;
        println!(
            "push {:.2} {:.2}, pull {:.2} {:.2}, encrypting is {:.2} of hashing and encrypting",
            ratio(push.cpu, hash.cpu + seal.cpu),
            ratio(push.wall, hash.wall + seal.wall),
            ratio(pull.cpu, seal.cpu),
            ratio(pull.wall, seal.wall),
            ratio(seal.cpu, hash.cpu + seal.cpu),
        );
        blobs.delete(row.store, row.physical_id).await?;
    }
    Ok(())
}

struct Cost {
    cpu: Duration,
    wall: Duration,
}

async fn timed<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<(Cost, T), Failure> {
    let (start, before) = (Instant::now(), cpu_time()?);
    let result = work.await?;
    let cost = Cost {
        cpu: cpu_time()?.saturating_sub(before),
        wall: start.elapsed(),
    };
    Ok((cost, result))
}

/// Returns the user and system time of the process, which Linux counts in ticks of 10 ms.
fn cpu_time() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let ticks = stat.split_whitespace().skip(13).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn hash_alone(data: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    data.chunks(FRAME).for_each(|frame| hash.update(frame));
    hash.finalize().into()
}

fn seal_alone(data: &[u8]) -> Result<(), Failure> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32])?);
    let mut frame = vec![0; FRAME];
    for chunk in data.chunks(FRAME) {
        frame.copy_from_slice(chunk);
        let nonce = Nonce::assume_unique_for_key(random()?);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut frame)?;
        black_box(tag.as_ref());
    }
    Ok(())
}

async fn push(blobs: &Blobs, keys: &DomainKeys, data: &Bytes) -> Result<SegmentRow, Failure> {
    let segment = NewSegment {
        physical_id: PhysicalId::from_slice(&random::<16>()?)?,
        upload_id: UploadId::from_slice(&random::<16>()?)?,
        start: 0,
        hash: UploadHash::new(None),
    };
    let mut writer = blobs.create(keys, segment).await?;
    let mut rest = data.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(PIECE.min(rest.len()))).await?;
    }
    Ok(writer.finish().await?.row)
}

async fn pull(blobs: &Blobs, keys: &DomainKeys, row: &SegmentRow) -> Result<(), Failure> {
    let mut stream = blobs.read(row, keys, 0..row.size).await?;
    while let Some(next) = stream.next().await {
        black_box(next?);
    }
    Ok(())
}

fn domain_keys() -> Result<DomainKeys, Failure> {
    let registry = Registry::private("123456789012".parse()?, "eu-central-1".parse()?)?;
    let domain = DomainId::from_slice(&random::<16>()?)?;
    Ok(DomainKeys::new(
        registry,
        domain,
        1,
        SealingKey::generate()?,
    ))
}

fn random_bytes() -> Result<Vec<u8>, CryptoError> {
    let seed: [u8; 4096] = random()?;
    Ok(seed.repeat(SIZE / seed.len()))
}
