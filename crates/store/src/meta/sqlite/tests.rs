//! The suite on this engine, and what only this engine promises.

mod clock;
mod close;
mod commit;
mod fault;
mod full;
mod opening;

use std::sync::mpsc;

use tokio::task::JoinHandle;

use super::Options;
use crate::meta::suite::SCHEMA;
use crate::meta::{Durability, Error, Metadata, Result};

fn open() -> Metadata {
    Metadata::sqlite(Options::temporary(SCHEMA)).unwrap()
}

mod suite {
    use super::open;

    crate::meta::suite::run!(open);
}

/// Keeps the writer busy, so that what is queued meanwhile makes one batch.
struct Hold {
    release: mpsc::Sender<()>,
    job: JoinHandle<Result<()>>,
}

impl Hold {
    async fn start(store: &Metadata) -> Self {
        let (release, released) = mpsc::channel();
        let (started, wait_started) = mpsc::channel();
        let store = store.clone();
        let job = tokio::spawn(async move {
            store
                .write::<_, Error>(Durability::Soft, move |_| {
                    let _ = started.send(());
                    let _ = released.recv();
                    Ok(())
                })
                .await
        });
        tokio::task::spawn_blocking(move || wait_started.recv())
            .await
            .unwrap()
            .unwrap();
        Self { release, job }
    }

    /// Waits until `waiting` jobs are queued behind it and lets them go as one batch.
    async fn release(self, store: &Metadata, waiting: usize) {
        while store.stats().waiting_writes < waiting {
            tokio::task::yield_now().await;
        }
        self.release.send(()).unwrap();
        self.job.await.unwrap().unwrap();
    }
}

/// Starts a write of the note `id`.
fn spawn_insert(store: &Metadata, durability: Durability, id: i64) -> JoinHandle<Result<u64>> {
    let store = store.clone();
    tokio::spawn(async move {
        store
            .write(durability, move |tx| {
                tx.execute("INSERT INTO note (id, body) VALUES (?1, 'x')", &[id.into()])?;
                tx.execute("INSERT INTO reply (note, idx) VALUES (?1, 1)", &[id.into()])
            })
            .await
    })
}
