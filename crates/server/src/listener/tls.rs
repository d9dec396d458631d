//! Certificates, read again when their files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The current certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<TlsFiles>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
    /// How the files looked before they were read.
    seen: Stamps,
}

type Stamps = [Option<(SystemTime, u64)>; 2];

/// The certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("`{}` cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// They are not a certificate and its key.
    #[error("the certificate and key do not work: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = stamps(&files);
        let config = Arc::new(RwLock::new(Arc::new(read(&files)?)));
        Ok(Self {
            files: Arc::new(files),
            config,
            seen,
        })
    }

    /// An acceptor with the current certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(
            self.config
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }

    /// Watches the files for ever; keeps the old certificate when the new one does not work.
    pub async fn watch(self) {
        let mut seen = self.seen;
        loop {
            sleep(LOOK_EVERY).await;
            let now = stamps(&self.files);
            if now != seen && self.reload() {
                seen = now;
            }
        }
    }

    /// A pair that does not fit is usually half written: it is tried again.
    fn reload(&self) -> bool {
        match read(&self.files) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the certificate was read again");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the certificate has changed but cannot be used; the old one stays");
                false
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> Stamps {
    [&files.cert, &files.key].map(|path| stamp(path).ok())
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let in_file = |path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::File { path, source }
    };
    let chain =
        CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(in_file(&files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(in_file(&files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
