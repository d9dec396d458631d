//! Uploads of several requests.

use bytes::Bytes;
use longshore_registry::{
    Error,
    body::Whole,
    oci::upload::{AppendUpload, CancelUpload, StartUpload, Started},
};
use longshore_types::id::UploadId;

use super::TestCore;

impl TestCore {
    /// Begins an upload.
    pub(crate) async fn start_upload(&self, repository: &str) -> UploadId {
        let start = StartUpload {
            repository: self.at(repository),
            mount: None,
            sha512: false,
        };
        match self.run(start).await.unwrap() {
            Started::Upload(upload) => upload,
            Started::Mounted(digest) => panic!("{digest} was mounted"),
        }
    }

    /// Sends the next bytes of an upload.
    pub(crate) async fn append(
        &self,
        repository: &str,
        upload: UploadId,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        let append = AppendUpload {
            repository: self.at(repository),
            upload,
            range: None,
            body: Box::new(Whole::new(Bytes::from(bytes))),
        };
        self.run(append).await.map(drop)
    }

    /// Cancels an upload.
    pub(crate) async fn cancel_upload(&self, repository: &str, upload: UploadId) {
        let repository = self.at(repository);
        self.run(CancelUpload { repository, upload }).await.unwrap();
    }
}
