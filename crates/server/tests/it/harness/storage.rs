//! Where the servers of tests keep their blobs: in their data directory, or in the bucket of tests.

use std::path::{Path, PathBuf};

use longshore::config::{BlobsUrl, Config, MasterKeySource};
use longshore_store::blob::s3::{Patience, S3Options};
use longshore_testbed::s3::{self, S3Server};

/// Lets a server keep its blobs where the tests are told to.
pub(super) fn choose(config: &mut Config) {
    if s3::is_chosen() {
        in_bucket(config);
    }
}

/// Lets a server keep its blobs in the bucket of tests, whatever the run is for.
pub(crate) fn in_bucket(config: &mut Config) {
    config.blobs = BlobsUrl::S3(Box::new(S3Options {
        endpoint: Some(S3Server::shared().endpoint()),
        region: s3::REGION.to_owned(),
        bucket: s3::BUCKET.to_owned(),
        prefix: prefix(&config.data_dir),
        access_key_id: s3::KEY_ID.to_owned(),
        secret_access_key: s3::SECRET.to_owned(),
        session_token: None,
        ca_file: None,
        spool: config.data_dir.clone(),
        patience: Patience::default(),
    }));
    config.master_key = MasterKeySource::Text(s3::MASTER_KEY.to_owned());
}

/// The variables by which a process finds the blobs of the server with this data directory.
pub(crate) fn environment(data_dir: &Path) -> Vec<(&'static str, String)> {
    let chosen = s3::is_chosen().then(|| S3Server::shared().environment(&prefix(data_dir)));
    chosen.into_iter().flatten().collect()
}

/// Where the blobs of the server with this data directory lie, in directories and files of the same names.
pub(crate) fn blobs_dir(data_dir: &Path) -> PathBuf {
    if s3::is_chosen() {
        S3Server::shared().path(&prefix(data_dir))
    } else {
        data_dir.join("blobs")
    }
}

/// Named by the directory, so that a restart finds them.
fn prefix(data_dir: &Path) -> String {
    let name = data_dir.file_name().unwrap().to_string_lossy();
    name.trim_start_matches('.').to_owned()
}
