use std::{fs, path::Path, sync::Arc, time::Duration};

use longshore::config::TlsFiles;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::TlsConnector;

use crate::harness::TestServer;

/// Writes a certificate for `localhost`; returns what to trust it by.
fn certify(dir: &Path) -> (TlsFiles, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        cert: dir.join("cert.pem"),
        key: dir.join("key.pem"),
    };
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    fs::write(&files.cert, made.cert.pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (files, roots)
}

async fn get(
    t: &TestServer,
    roots: RootCertStore,
    protocols: &[&str],
) -> std::io::Result<(Option<Vec<u8>>, String)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let stream = TcpStream::connect(t.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let mut text = String::new();
    if protocol.as_deref() != Some(b"h2") {
        stream
            .write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        stream.read_to_string(&mut text).await?;
    }
    Ok((protocol, text))
}

#[tokio::test]
async fn https_is_served_and_printed() {
    let dir = tempfile::tempdir().unwrap();
    let (files, roots) = certify(dir.path());
    let t = TestServer::with(|config| config.tls = Some(files)).await;
    assert!(t.running.url.starts_with("https://localhost:"));
    let (protocol, answer) = get(&t, roots.clone(), &["http/1.1"]).await.unwrap();
    assert_eq!(protocol.as_deref(), Some(b"http/1.1".as_slice()));
    assert!(
        answer.contains(r#"Bearer realm="https://localhost/token/""#),
        "{answer}"
    );
    let (protocol, _) = get(&t, roots, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(protocol.as_deref(), Some(b"h2".as_slice()));
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (files, _) = certify(dir.path());
    let t = TestServer::with(|config| config.tls = Some(files)).await;
    let (_, renewed) = certify(dir.path());
    let mut tries = 0;
    while get(&t, renewed.clone(), &[]).await.is_err() {
        tries += 1;
        assert!(tries < 100, "the new certificate is not taken");
        sleep(Duration::from_millis(100)).await;
    }
}
