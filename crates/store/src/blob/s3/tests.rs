mod faults;
mod proxy;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use longshore_testbed::s3::{BUCKET, KEY_ID, REGION, S3Server, SECRET};
use longshore_types::id::PhysicalId;
use tempfile::TempDir;

use super::options::Patience;
use super::{S3Options, S3Store};
use crate::blob::pool::Pool;
use crate::blob::suite::Rig;
use crate::blob::{Cipher, SegmentStore};

/// A store on a server, perhaps through something else, and a rig over it.
struct S3Rig {
    rig: Rig,
    store: S3Store,
    options: S3Options,
    _spool: TempDir,
}

impl S3Rig {
    fn new(server: &S3Server) -> Self {
        Self::with(server, Cipher::Aes256Gcm, |_| {})
    }

    fn with(server: &S3Server, cipher: Cipher, change: impl FnOnce(&mut S3Options)) -> Self {
        let spool = tempfile::tempdir().unwrap();
        let mut options = options(server, spool.path());
        change(&mut options);
        let store = S3Store::open(options.clone(), Pool::new(4)).unwrap();
        let rig = Rig::new(Arc::new(store.clone()), cipher);
        Self {
            rig,
            store,
            options,
            _spool: spool,
        }
    }

    /// The same objects by another way.
    fn through(&self, endpoint: String) -> Rig {
        let mut options = self.options.clone();
        options.endpoint = Some(endpoint);
        let store = S3Store::open(options, Pool::new(4)).unwrap();
        Rig::new(Arc::new(store), Cipher::Aes256Gcm)
    }

    fn path(&self, server: &S3Server, id: PhysicalId) -> PathBuf {
        server.path(&self.store.shared.objects.key(id))
    }

    /// Removes an object; asserts that nothing of it is left.
    async fn assert_leaves_nothing(&self, server: &S3Server, id: PhysicalId) {
        self.store.delete(id).await.unwrap();
        let (objects, _) = server.names(&self.options.prefix);
        let left: Vec<_> = objects
            .iter()
            .filter(|name| name.contains(&id.to_string()))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.uploads(id).await, 0);
    }

    /// How many multipart uploads there are under the name of an object.
    async fn uploads(&self, id: PhysicalId) -> usize {
        let objects = &self.store.shared.objects;
        objects.uploads(&objects.key(id)).await.unwrap().len()
    }
}

/// Options for a prefix that nobody else has.
fn options(server: &S3Server, spool: &Path) -> S3Options {
    S3Options {
        endpoint: Some(server.endpoint()),
        region: REGION.to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: server.fresh_prefix(),
        access_key_id: KEY_ID.to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: None,
        ca_file: None,
        spool: spool.to_owned(),
        patience: Patience {
            request: Duration::from_secs(2),
            pause: Duration::from_millis(2),
            ..Patience::default()
        },
    }
}
