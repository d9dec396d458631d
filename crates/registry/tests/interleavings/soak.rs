//! Pushes, mounts, pulls and deletions of shared layers while time leaps and sweepers run back to back. Whatever the
//! registry has said to be there must be there for as long as it promised.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use longshore_registry::{Error, Result, job, oci::blob::DeleteBlob};

use crate::{
    pairs::api_put,
    world::{Disk, World, content, image, sha256},
};

const REPOSITORIES: [&str; 3] = ["soak/a", "soak/b", "soak/c"];
/// Deleted and made again all the time; only a source of mounts.
const RESTLESS: &str = "soak/restless";
const PUSHERS: usize = 6;
const IMAGES_EACH: usize = 120;
/// So many that most are without an image now and then.
const LAYERS: usize = 30;
/// A positive answer holds for this long.
const PROMISED_HOURS: i64 = 12;

/// Repositories and tags, and the manifests and layers that they must pull as.
type Kept = BTreeMap<(&'static str, String), (Bytes, Vec<usize>)>;

/// Who is running, and what they have seen.
struct Soak {
    disk: Disk,
    world: World,
    layers: Vec<Bytes>,
    over: AtomicBool,
    kept: Mutex<Kept>,
    lost: Mutex<Vec<String>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    pushed: AtomicUsize,
    retried: AtomicUsize,
    found: AtomicUsize,
    mounted: AtomicUsize,
    put: AtomicUsize,
    put_late: AtomicUsize,
    deleted: AtomicUsize,
    withdrawn: AtomicUsize,
    hours: AtomicUsize,
    pulled: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A small generator, so that a seed repeats the choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }
}

impl Soak {
    fn hours(&self) -> i64 {
        self.world.core.meta.now().as_millis() / 3_600_000
    }

    fn lose(&self, what: String) {
        self.lost.lock().unwrap().push(what);
    }

    /// Makes sure, as clients do, that a layer is in a repository: asks, mounts, or uploads.
    async fn ensure(&self, dice: &mut Dice, to: &'static str, layer: &Bytes) {
        let digest = sha256(layer);
        if self.world.has(to, digest).await.is_ok() {
            return count(&self.counts.found);
        }
        let sources = [REPOSITORIES[dice.roll(3)], RESTLESS];
        let from = sources[dice.roll(2)];
        if dice.roll(3) == 0 && self.world.mount(from, to, digest).await.unwrap() {
            return count(&self.counts.mounted);
        }
        while !self.upload(dice.roll(2) == 0, to, layer).await {
            count(&self.counts.retried);
        }
        count(&self.counts.pushed);
    }

    /// Time may end an upload, or the intent of a body, before it is done; then the client begins again.
    async fn upload(&self, whole: bool, to: &'static str, layer: &Bytes) -> bool {
        let uploaded = if whole {
            self.world.push(to, layer.clone()).await
        } else {
            self.push_in_chunks(to, layer).await
        };
        match uploaded {
            Ok(()) => true,
            Err(Error::UploadNotFound { .. } | Error::BodyBroken(_)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn push_in_chunks(&self, to: &'static str, layer: &Bytes) -> Result<()> {
        let half = layer.len() / 2;
        let upload = self.world.start(to).await?;
        let at = self.world.append(to, upload, layer.slice(..half)).await?;
        assert_eq!(at, half as u64);
        self.world
            .close(to, upload, layer.slice(half..), sha256(layer))
            .await
    }

    async fn push_images(self: Arc<Self>, pusher: usize) {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (pusher as u64 + 1));
        for idx in 0..IMAGES_EACH {
            let to = REPOSITORIES[dice.roll(3)];
            let first = dice.roll(self.layers.len());
            let second = (first + 1 + dice.roll(self.layers.len() - 1)) % self.layers.len();
            let since = self.hours();
            for layer in [first, second] {
                self.ensure(&mut dice, to, &self.layers[layer]).await;
            }
            // The client takes its time, and the world goes on.
            let patience = i64::try_from(2 + dice.roll(9)).unwrap();
            while self.hours() - since < patience && !self.over.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let tag = format!("p{pusher}-{idx}");
            self.put(to, tag, &[first, second], since).await;
            if dice.roll(8) > 0 {
                self.delete_one_of(&mut dice, pusher).await;
            }
            self.pull_one(&mut dice).await;
        }
    }

    async fn put(&self, to: &'static str, tag: String, layers: &[usize], since: i64) {
        let bytes: Vec<Bytes> = layers.iter().map(|idx| self.layers[*idx].clone()).collect();
        let manifest = image(&bytes, &tag);
        let text = std::str::from_utf8(&manifest).unwrap();
        match api_put(&self.world, to, &tag, text).await {
            Ok(()) => {
                count(&self.counts.put);
                let image = (manifest, layers.to_vec());
                self.kept.lock().unwrap().insert((to, tag), image);
            }
            Err(Error::LayersNotFound { digests, .. }) => {
                let hours = self.hours() - since;
                if hours < PROMISED_HOURS {
                    self.lose(format!("{digests:?} gone from {to} after {hours} hours"));
                } else {
                    count(&self.counts.put_late);
                }
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Only its own images, so that the ledger is never behind the registry.
    async fn delete_one_of(&self, dice: &mut Dice, pusher: usize) {
        let own = format!("p{pusher}-");
        let taken = {
            let mut kept = self.kept.lock().unwrap();
            let mine: Vec<_> = kept
                .keys()
                .filter(|(_, tag)| tag.starts_with(&own))
                .cloned()
                .collect();
            let Some(key) = mine.get(dice.roll(mine.len().max(1))) else {
                return;
            };
            kept.remove(key).map(|image| (key.0, image.0))
        };
        if let Some((from, manifest)) = taken {
            self.world.delete(from, sha256(&manifest)).await.unwrap();
            count(&self.counts.deleted);
        }
    }

    async fn pull_one(&self, dice: &mut Dice) {
        let chosen = {
            let kept = self.kept.lock().unwrap();
            let idx = dice.roll(kept.len().max(1));
            kept.iter()
                .nth(idx)
                .map(|(key, image)| (key.clone(), image.clone()))
        };
        if let Some(((from, tag), (manifest, layers))) = chosen {
            let problems = self.problems(from, &tag, &manifest, &layers).await;
            // Its owner may have deleted it meanwhile.
            if self.kept.lock().unwrap().contains_key(&(from, tag)) {
                self.lost.lock().unwrap().extend(problems);
            }
            count(&self.counts.pulled);
        }
    }

    async fn problems(
        &self,
        from: &str,
        tag: &str,
        manifest: &Bytes,
        layers: &[usize],
    ) -> Vec<String> {
        let mut problems = Vec::new();
        match self.world.manifest(from, tag).await {
            Ok(found) if found == manifest => {}
            other => problems.push(format!("{from}:{tag} pulls as {other:?}")),
        }
        for layer in layers {
            if let Err(error) = self.world.reads(from, sha256(&self.layers[*layer])).await {
                problems.push(format!("layer {layer} of {from}:{tag}: {error:?}"));
            }
        }
        problems
    }

    async fn sweep(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            job::tick(&self.world.core).await.unwrap();
        }
    }

    /// Leaps of one to five hours, so that promises end between any two steps of a request.
    async fn let_time_pass(self: Arc<Self>) {
        let mut dice = Dice(77);
        while !self.over.load(Ordering::Relaxed) {
            let hours = 1 + dice.roll(5);
            self.disk.wait(i64::try_from(hours).unwrap());
            self.counts.hours.fetch_add(hours, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5 + dice.roll(15) as u64)).await;
        }
    }

    async fn withdraw_blobs(self: Arc<Self>) {
        let mut dice = Dice(99);
        while !self.over.load(Ordering::Relaxed) {
            let delete = DeleteBlob {
                repository: self.world.at(REPOSITORIES[dice.roll(3)]),
                digest: sha256(&self.layers[dice.roll(self.layers.len())]),
            };
            if self.world.run(delete).await.is_ok() {
                count(&self.counts.withdrawn);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn churn(self: Arc<Self>) {
        let mut dice = Dice(55);
        while !self.over.load(Ordering::Relaxed) {
            self.world.create(RESTLESS).await.unwrap();
            for _ in 0..3 {
                let layer = self.layers[dice.roll(self.layers.len())].clone();
                self.upload(true, RESTLESS, &layer).await;
                self.world
                    .put(RESTLESS, "latest", image(&[layer], "restless"))
                    .await
                    .ok();
            }
            self.world.drop_repository(RESTLESS).await.unwrap();
        }
    }
}

async fn open() -> Arc<Soak> {
    let disk = Disk::new();
    let world = World::open(&disk).await;
    for name in REPOSITORIES {
        world.create(name).await.unwrap();
    }
    let lengths = [700, 90_000, 120_000, 66_000, 20_000, 40_000, 131_072];
    Arc::new(Soak {
        layers: (0..LAYERS)
            .map(|seed| content(seed, lengths[seed % lengths.len()]))
            .collect(),
        over: AtomicBool::new(false),
        kept: Mutex::default(),
        lost: Mutex::default(),
        counts: Counts::default(),
        disk,
        world,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_while_collection_runs_back_to_back() {
    let soak = open().await;
    let background = [
        tokio::spawn(Arc::clone(&soak).sweep()),
        tokio::spawn(Arc::clone(&soak).sweep()),
        tokio::spawn(Arc::clone(&soak).let_time_pass()),
        tokio::spawn(Arc::clone(&soak).withdraw_blobs()),
        tokio::spawn(Arc::clone(&soak).churn()),
    ];
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|pusher| tokio::spawn(Arc::clone(&soak).push_images(pusher)))
        .collect();
    for pusher in pushers {
        pusher.await.unwrap();
    }
    soak.over.store(true, Ordering::Relaxed);
    for task in background {
        task.await.unwrap();
    }
    for _ in 0..3 {
        soak.disk.wait(26);
        soak.world.sweep().await.unwrap();
    }
    let kept = std::mem::take(&mut *soak.kept.lock().unwrap());
    for ((from, tag), (manifest, layers)) in &kept {
        for problem in soak.problems(from, tag, manifest, layers).await {
            soak.lose(problem);
        }
    }
    soak.world.assert_no_file_leaks(&soak.disk).await;
    let lost = soak.lost.lock().unwrap().clone();
    println!(
        "{:?}; {} images verified at the end, {} lost",
        soak.counts,
        kept.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(kept.len() > PUSHERS * IMAGES_EACH / 20);
    for seen in [
        &soak.counts.found,
        &soak.counts.mounted,
        &soak.counts.deleted,
        &soak.counts.withdrawn,
    ] {
        assert!(
            seen.load(Ordering::Relaxed) > 0,
            "a course was never taken: {:?}",
            soak.counts
        );
    }
    soak.world
        .assert_nothing_is_left(&soak.disk, &REPOSITORIES)
        .await;
}
