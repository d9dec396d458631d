//! A course of requests that uses every way to write, and what must hold when it breaks off anywhere.

use bytes::Bytes;
use longshore_registry::{
    Error, Result,
    extension::RestoreExpiredImages,
    op::lifecycle::{DeleteLifecyclePolicy, PutLifecyclePolicy},
};
use longshore_types::{digest::Digest, id::UploadId};
use serde_json::json;

use crate::world::{Disk, World, content, image, sha256};

pub(crate) const REPOSITORIES: [&str; 3] = ["proof/a", "proof/b", "proof/c"];
const A: &str = REPOSITORIES[0];
const B: &str = REPOSITORIES[1];
/// Here a lifecycle policy expires.
const C: &str = REPOSITORIES[2];

/// Bigger than a transfer buffer, so that a segment takes several writes.
const BIG: usize = 300_000;

/// What the registry has acknowledged so far.
#[derive(Default)]
pub(crate) struct Ledger {
    blobs: Vec<(&'static str, Digest)>,
    images: Vec<(&'static str, &'static str, Bytes)>,
    upload: Option<Chunked>,
}

/// An upload under way: what was acknowledged of it, and what was sent but not answered.
struct Chunked {
    id: UploadId,
    at: u64,
    sent: u64,
    digest: Digest,
}

impl Ledger {
    fn blob(&mut self, repository: &'static str, bytes: &Bytes) {
        self.blobs.push((repository, sha256(bytes)));
    }

    async fn chunked(&mut self, world: &World, parts: &[Bytes]) -> Result<()> {
        let digest = sha256(&parts.concat());
        let id = world.start(A).await?;
        let upload = self.upload.insert(Chunked {
            id,
            at: 0,
            sent: 0,
            digest,
        });
        let (last, parts) = parts.split_last().unwrap();
        for part in parts {
            upload.sent = upload.at + part.len() as u64;
            upload.at = world.append(A, id, part.clone()).await?;
            assert_eq!(upload.at, upload.sent);
        }
        world.close(A, id, last.clone(), digest).await?;
        self.upload = None;
        self.blobs.push((A, digest));
        Ok(())
    }

    async fn put(
        &mut self,
        world: &World,
        to: &'static str,
        tag: &'static str,
        layers: &[Bytes],
    ) -> Result<()> {
        let manifest = image(layers, tag);
        world.put(to, tag, manifest.clone()).await?;
        self.images.push((to, tag, manifest));
        Ok(())
    }

    /// Runs the course. It can be run again, over anything that an earlier run has left.
    pub(crate) async fn run(&mut self, disk: &Disk, world: &World) -> Result<()> {
        let (small, big, other) = (content(1, 900), content(2, BIG), content(3, BIG / 2));
        for blob in [&small, &big] {
            world.push(A, blob.clone()).await?;
            self.blob(A, blob);
        }
        // Two segments and an inline piece between them and the end.
        let parts = [
            content(4, BIG),
            content(5, 1000),
            content(6, BIG / 3),
            content(7, 10),
        ];
        self.chunked(world, &parts).await?;
        let joined: Bytes = parts.concat().into();

        world.push(B, other.clone()).await?;
        self.blob(B, &other);
        let mounted = world.mount(A, B, sha256(&big)).await?;
        assert!(mounted, "a blob that was just pushed was not mounted");
        self.blob(B, &big);
        // A read that fails must not pass for damage.
        world.reads(A, sha256(&big)).await?;
        self.put(world, A, "kept", &[small, big.clone(), joined])
            .await?;
        self.put(world, B, "gone", &[big, other]).await?;

        let (_, _, gone) = self.images.pop().unwrap();
        // From here on nobody knows whether it is there, nor for how long its layers are.
        self.blobs.retain(|(repository, _)| *repository != B);
        world.delete(B, sha256(&gone)).await?;
        // What an earlier run has brought back may expire again.
        self.images.retain(|(repository, ..)| *repository != C);
        let expired = content(8, BIG);
        world.push(C, expired.clone()).await?;
        world.expire(C).await?;
        self.put(world, C, "expired", &[expired]).await?;
        let back = self.images.pop().unwrap();
        for _ in 0..3 {
            disk.wait(26);
            world.sweep().await?;
        }
        let image = sha256(&back.2);
        match world.manifest(C, "expired").await {
            Ok(_) => panic!("an image that is too old is still there"),
            Err(Error::ManifestUnknown) => {}
            Err(error) => return Err(error),
        }
        world.restore(C, image).await?;
        self.images.push(back);
        match world.has(B, sha256(&content(3, BIG / 2))).await {
            Ok(_) => panic!("a layer that nothing needs is still there"),
            Err(Error::BlobUnknown) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks everything that was acknowledged, on a store that no longer fails.
    pub(crate) async fn assert_kept(&self, disk: &Disk, world: &World) {
        world.assert_no_file_leaks(disk).await;
        for (repository, digest) in &self.blobs {
            world.reads(repository, *digest).await.unwrap();
        }
        for (repository, tag, manifest) in &self.images {
            assert_eq!(world.manifest(repository, tag).await.unwrap(), manifest);
        }
    }

    /// An upload that broke off stands where it was acknowledged; only an unknown outcome may have moved it, and then by
    /// the whole body or all the way to the blob.
    pub(crate) async fn assert_nothing_half_admitted(&self, world: &World, error: Option<&Error>) {
        let Some(upload) = &self.upload else {
            return;
        };
        let in_doubt = matches!(error, Some(Error::Unavailable | Error::Internal(_)));
        match world.stands_at(A, upload.id).await {
            Ok(at) if at == upload.at => {}
            Ok(at) => assert!(in_doubt && at == upload.sent, "{at} of {}", upload.sent),
            Err(Error::UploadNotFound { .. }) => {
                assert!(in_doubt, "an upload is gone without a reason");
                world.reads(A, upload.digest).await.unwrap();
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Opens a registry with the repositories of the course.
pub(crate) async fn prepare(disk: &Disk) {
    let world = World::open(disk).await;
    for repository in REPOSITORIES {
        world.create(repository).await.unwrap();
    }
}

/// Opens the registry again after a failure and checks it, runs the course to its end, and lets everything go.
pub(crate) async fn recover(disk: &Disk, ledger: &Ledger, error: Option<&Error>) {
    let world = World::open(disk).await;
    ledger.assert_kept(disk, &world).await;
    ledger.assert_nothing_half_admitted(&world, error).await;
    let mut again = Ledger::default();
    again.run(disk, &world).await.unwrap();
    again.assert_kept(disk, &world).await;
    world.assert_nothing_is_left(disk, &REPOSITORIES).await;
}

impl World {
    /// Expires what is a day old, to be brought back within a week.
    async fn expire(&self, repository: &str) -> Result<()> {
        let rule = json!({"rulePriority": 1, "action": {"type": "expire"}, "selection": {"tagStatus": "any",
            "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1}});
        let policy = json!({"rules": [rule], "x-longshore-undoHours": 168}).to_string();
        let put = json!({"repositoryName": repository, "lifecyclePolicyText": policy});
        self.api::<PutLifecyclePolicy>(put).await.map(drop)
    }

    /// Ends expiry, and brings an image back.
    async fn restore(&self, repository: &str, image: Digest) -> Result<()> {
        let named = json!({ "repositoryName": repository });
        match self.api::<DeleteLifecyclePolicy>(named).await {
            Ok(_) | Err(Error::LifecyclePolicyNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let ids = json!([{"imageDigest": image.to_string()}]);
        let restore = json!({"repositoryName": repository, "imageIds": ids});
        self.api::<RestoreExpiredImages>(restore).await.map(drop)
    }
}
