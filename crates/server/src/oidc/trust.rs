//! Whose certificates are trusted: public roots, the operator's, and what a provider was registered with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider},
};
use rustls_pki_types::{
    CertificateDer, ServerName, UnixTime,
    pem::{self, PemObject},
};
use tokio_rustls::TlsConnector;

/// The certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read as PEM.
    #[error("`{}` cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The file has no certificate.
    #[error("`{}` holds no certificate", .0.display())]
    Empty(PathBuf),
    /// A certificate cannot be trusted, or the library does not work.
    #[error("the trusted certificates do not work: {0}")]
    Certificate(#[from] rustls::Error),
    /// There are no roots to verify with.
    #[error("the trusted certificates do not work: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Returns Mozilla's roots, and those in `file` (PEM), which must hold some.
pub(crate) fn roots(file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(path) = file {
        let in_file = |source| TrustError::File {
            path: path.to_owned(),
            source,
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(in_file)?;
        let before = roots.len();
        for certificate in certificates {
            roots.add(certificate.map_err(in_file)?)?;
        }
        if roots.len() == before {
            return Err(TrustError::Empty(path.to_owned()));
        }
    }
    Ok(roots)
}

/// The roots that hold for all providers, and for the servers that the program calls itself.
#[derive(Debug)]
pub(crate) struct Trust {
    provider: Arc<CryptoProvider>,
    usual: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Mozilla's roots, and those in `file`.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, TrustError> {
        let roots = roots(file)?;
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let usual =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
        Ok(Self { provider, usual })
    }

    /// Connects to a provider that was registered with `thumbprints`.
    pub(crate) fn connector(&self, thumbprints: &[String]) -> Result<TlsConnector, rustls::Error> {
        let verifier = Verifier {
            provider: self.provider.clone(),
            usual: self.usual.clone(),
            thumbprints: thumbprints.to_vec(),
        };
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Verifies by the usual roots, then by a certificate of the chain that the provider was registered with: as with AWS,
/// thumbprints add trust where no public root vouches, and never take it away.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    usual: Arc<WebPkiServerVerifier>,
    thumbprints: Vec<String>,
}

impl Verifier {
    /// A verifier whose only roots are the certificates of this chain that are listed.
    fn registered(&self, chain: &[&CertificateDer<'_>]) -> Option<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        for certificate in chain {
            if self.thumbprints.contains(&thumbprint(certificate)) {
                roots.add((*certificate).clone().into_owned()).ok()?;
            }
        }
        WebPkiServerVerifier::builder_with_provider(roots.into(), self.provider.clone())
            .build()
            .ok()
    }
}

/// SHA-1 in lower-case hexadecimal, as IAM has it.
fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate);
    let hex = |byte: &u8| format!("{byte:02x}");
    hash.as_ref().iter().map(hex).collect()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let usual = verify(&self.usual);
        let Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) = usual else {
            return usual;
        };
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).collect();
        match self.registered(&chain) {
            Some(registered) => verify(&registered),
            None => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
