//! Registries that answer what no registry should: who asks keeps its credentials, and ends with what is wrong.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{
    proxy::{Proxy, body_at, with_header},
    scene::{INDEX, artifact, descriptor, images_of, json_of, refusal, text, through},
};
use crate::harness::{Image, TestServer, digest_of};

/// `longshore migrate` of a registry behind a proxy.
async fn migrate(to: &TestServer, from: &TestServer, proxy: &Proxy) -> Command {
    let address = proxy.address.to_string();
    let args = ["migrate", "--from", &address, "--source-user", "AWS"];
    let mut command = through(to, &args);
    command
        .args(["--jobs", "1"])
        .env("LONGSHORE_SOURCE_PASSWORD", from.password().await);
    command
}

/// What it says where it must fail.
async fn refused(to: &TestServer, from: &TestServer, proxy: &Proxy) -> String {
    refusal(migrate(to, from, proxy).await).await
}

/// A registry with an image that something refers to.
async fn with_referrer() -> TestServer {
    let from = TestServer::start().await;
    let password = from.password().await;
    from.create("app").await;
    let image = Image::new("one", 1);
    from.push(&password, "app", "v1", &image).await;
    let subject = descriptor(Image::MEDIA_TYPE, &image.manifest());
    artifact(&from, "app", &subject, "signature").await;
    from
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_redirect_leads_no_password_is_sent_or_asked_for() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    let moved = Image::new("moved", 1);
    from.push(&password, "app", "a-moved", &moved).await;
    from.push(&password, "app", "b-here", &Image::new("here", 1))
        .await;

    // The server there wants a token of another server of its own.
    let gives = |_: &str, _| answer("200 OK", "", r#"{"token":"t"}"#);
    let tokens = Proxy::before(from.address(), Box::new(gives)).await;
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"elsewhere\"\r\n",
        tokens.address
    );
    let wants = move |_: &str, _| answer("401 Unauthorized", &challenge, "");
    let elsewhere = Proxy::before(from.address(), Box::new(wants)).await;
    let layer = digest_of(moved.blobs().nth(1).unwrap());
    let there = format!("Location: http://{}/layer\r\n", elsewhere.address);
    let sends = move |asked: &str, whole: Vec<u8>| {
        if asked.starts_with("GET ") && asked.contains(&layer) {
            return answer("307 Temporary Redirect", &there, "");
        }
        whole
    };
    let front = Proxy::before(from.address(), Box::new(sends)).await;

    let said = refused(&to, &from, &front).await;
    assert!(
        said.contains("failed: app:a-moved: ") && said.contains("401"),
        "{said}"
    );
    assert!(!elsewhere.heads().is_empty(), "nobody went there");
    for head in elsewhere.heads() {
        assert!(!head.contains("authorization:"), "{head}");
    }
    assert_eq!(tokens.heads(), [""; 0], "a token was asked for");
    // What the other server wants says nothing about this one.
    let is_told = |head: &String| head.contains("authorization: ");
    let heads = front.heads();
    assert!(heads.iter().skip(1).all(is_told), "{heads:?}");
    let images = images_of(&to, "app").await;
    assert!(
        images.len() == 1 && images[0].ends_with(" b-here"),
        "{images:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_asked_for_each_time() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    for name in ["v1", "v2"] {
        let image = Image::new(name, 1);
        from.push(&password, "app", name, &image).await;
        let subject = descriptor(Image::MEDIA_TYPE, &image.manifest());
        artifact(&from, "app", &subject, name).await;
    }
    let asked_before = AtomicU32::new(0);
    let first_fails = move |asked: &str, whole: Vec<u8>| {
        let is_first =
            asked.contains("/referrers/") && asked_before.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first {
            return answer("404 Not Found", "", "");
        }
        whole
    };
    let proxy = Proxy::before(from.address(), Box::new(first_fails)).await;
    // The comparison, which comes later, finds the first one's.
    let said = refused(&to, &from, &proxy).await;
    assert!(said.contains("is missing at the target"), "{said}");
    let images = images_of(&to, "app").await;
    assert_eq!(images.len(), 3, "{images:?}");
}

const UNLISTED: &str = "what refers to it cannot be listed";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_to_be_had_does_not_mean_that_nothing_refers_to_an_image() {
    let (from, to) = (with_referrer().await, TestServer::start().await);
    let gone = |_: &str, _| answer("404 Not Found", "", "");
    let tokens = Proxy::before(from.address(), Box::new(gone)).await;
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"http://{}/token\"\r\n",
        tokens.address
    );
    let wants = move |asked: &str, whole: Vec<u8>| {
        if asked.contains("/referrers/") {
            return answer("401 Unauthorized", &challenge, "");
        }
        whole
    };
    let proxy = Proxy::before(from.address(), Box::new(wants)).await;
    let said = refused(&to, &from, &proxy).await;
    assert!(said.contains(UNLISTED), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_referrers_that_is_not_there_is_told() {
    let (from, to) = (with_referrer().await, TestServer::start().await);
    let breaks = |asked: &str, whole: Vec<u8>| {
        let target = asked.split(' ').nth(1).unwrap();
        if !target.contains("/referrers/") {
            whole
        } else if target.contains("page=2") {
            answer("404 Not Found", "", "")
        } else {
            with_header(&whole, &format!("Link: <{target}?page=2>; rel=\"next\""))
        }
    };
    let proxy = Proxy::before(from.address(), Box::new(breaks)).await;
    let said = refused(&to, &from, &proxy).await;
    assert!(said.contains(UNLISTED) && said.contains("404"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_elsewhere_is_absent_only_where_a_registry_is() {
    let from = with_referrer().await;
    let gone = |_: &str, _| answer("404 Not Found", "", "");
    let elsewhere = Proxy::before(from.address(), Box::new(gone)).await;
    // `*` is what was asked, after its `/v2`.
    for (path, is_registry) in [
        ("/v2*", true),
        ("/v2/prod/images*", true),
        ("/artifactory/api/docker/r/v2*", true),
        ("/v2/x/referrers/y", false),
        ("/bucket/x", false),
    ] {
        let there = format!("http://{}{path}", elsewhere.address);
        let sends = move |asked: &str, whole: Vec<u8>| {
            let target = asked.split(' ').nth(1).unwrap();
            if target.contains("/referrers/") {
                let asked = target.strip_prefix("/v2").unwrap();
                let location = format!("Location: {}\r\n", there.replace('*', asked));
                return answer("307 Temporary Redirect", &location, "");
            }
            whole
        };
        let proxy = Proxy::before(from.address(), Box::new(sends)).await;
        let to = TestServer::start().await;
        let migrate = migrate(&to, &from, &proxy).await;
        if is_registry {
            json_of(migrate).await;
            assert_eq!(images_of(&to, "app").await.len(), 1);
        } else {
            let said = refusal(migrate).await;
            assert!(said.contains(UNLISTED) && said.contains("404"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_referrers_that_cannot_be_read_is_told() {
    let (from, to) = (with_referrer().await, TestServer::start().await);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"digest":"sha256:no"}}]}}"#
    );
    let lies = move |asked: &str, whole: Vec<u8>| {
        if asked.contains("/referrers/") {
            answer("404 Not Found", "", "")
        } else if asked.contains("/manifests/sha256-") {
            answer("200 OK", "", &index)
        } else {
            whole
        }
    };
    let proxy = Proxy::before(from.address(), Box::new(lies)).await;
    let said = refused(&to, &from, &proxy).await;
    let reason = "the list of referrers is not valid";
    assert!(said.contains(UNLISTED) && said.contains(reason), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_leads_to_itself_is_told() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    from.push(&password, "app", "v1", &Image::new("one", 1))
        .await;
    for list in ["/v2/_catalog", "/v2/app/tags/list", "/referrers/"] {
        let turns = move |asked: &str, whole: Vec<u8>| {
            let target = asked.split(' ').nth(1).unwrap();
            if target.contains(list) {
                let link = format!("Link: <{target}>; rel=\"next\"");
                return with_header(&whole, &link);
            }
            whole
        };
        let proxy = Proxy::before(from.address(), Box::new(turns)).await;
        let said = refused(&to, &from, &proxy).await;
        assert!(
            said.contains(list) && said.contains("the list does not end"),
            "{list}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apis_list_that_leads_to_itself_is_told() {
    let server = TestServer::start().await;
    server.create("app").await;
    for member in ["imageIds", "repositories"] {
        let turns = move |_: &str, whole: Vec<u8>| {
            let body = String::from_utf8_lossy(&whole[body_at(&whole)..]).into_owned();
            // Its own first page, and what the server says to the token of the second.
            let is_list = body.starts_with(&format!("{{\"{member}\":"));
            if is_list || body.contains("'nextToken'") {
                let page = format!("{{\"{member}\":[],\"nextToken\":\"again\"}}");
                return answer("200 OK", "", &page);
            }
            whole
        };
        let proxy = Proxy::before(server.address(), Box::new(turns)).await;
        let dir = tempfile::tempdir().unwrap();
        let mut export = through(&server, &["export", "--to", text(dir.path())]);
        export.env("AWS_ENDPOINT_URL", format!("http://{}", proxy.address));
        let said = refusal(export).await;
        assert!(said.contains("the list does not end"), "{member}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_catalog_cannot_mean_is_told_and_the_rest_comes() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    from.push(&password, "app", "v1", &Image::new("one", 1))
        .await;
    let lies = |asked: &str, whole: Vec<u8>| {
        if asked.contains("/v2/_catalog") {
            let names = r#"{"repositories":["../up","app","Bad\u001b[2J","x"]}"#;
            return answer("200 OK", "", names);
        }
        whole
    };
    let proxy = Proxy::before(from.address(), Box::new(lies)).await;
    let said = refused(&to, &from, &proxy).await;
    for reason in [
        "failed: ../up: this is no name of a repository",
        "failed: Bad\u{fffd}[2J: this is no name of a repository",
        "failed: x: `x` cannot be the name of a repository here",
        "3 images or repositories",
    ] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert_eq!(images_of(&to, "app").await, images_of(&from, "app").await);
}

/// Takes the TLS from before a server that knows nothing of it.
async fn with_tls(server: SocketAddr, dir: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(dir.join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(server).await.unwrap();
                drop(copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_leaves_https_because_the_api_says_so() {
    let server = TestServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let port = with_tls(server.address(), dir.path()).await.port();
    let ca = dir.path().join("ca.pem");
    let reason = format!(
        "the API at localhost:{port} has HTTPS, but says that images are at http://localhost:{port}"
    );

    let layout = dir.path().join("layout");
    let mut export = through(&server, &["export", "--to", text(&layout)]);
    export.env("AWS_ENDPOINT_URL", format!("https://localhost:{port}"));
    export.env("AWS_CA_BUNDLE", &ca);
    let said = refusal(export).await;
    assert!(said.contains(&reason), "{said}");

    let from = format!("https://localhost:{port}");
    let args = ["migrate", "--from", &from, "--source-ca-file", text(&ca)];
    let mut migrate = through(&server, &args);
    let key = &server.credentials.key;
    migrate.env("LONGSHORE_SOURCE_AWS_ACCESS_KEY_ID", &key.id);
    migrate.env("LONGSHORE_SOURCE_AWS_SECRET_ACCESS_KEY", &key.secret);
    migrate.env("LONGSHORE_SOURCE_AWS_REGION", "us-east-1");
    let said = refusal(migrate).await;
    assert!(said.contains(&reason), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_tokens_nor_bytes_are_asked_for_where_there_is_no_https() {
    let (from, to) = (with_referrer().await, TestServer::start().await);
    let gives = |_: &str, _| answer("200 OK", "", r#"{"token":"t"}"#);
    let elsewhere = Proxy::before(from.address(), Box::new(gives)).await;
    let there = format!("http://{}/x", elsewhere.address);
    for (status, header, reason) in [
        (
            "401 Unauthorized",
            format!("WWW-Authenticate: Bearer realm=\"{there}\"\r\n"),
            "it sends for tokens to a place without HTTPS",
        ),
        (
            "307 Temporary Redirect",
            format!("Location: {there}\r\n"),
            "it redirects to a place without HTTPS",
        ),
    ] {
        let sends = move |asked: &str, whole: Vec<u8>| {
            if asked.contains("/v2/app/manifests/") {
                answer(status, &header, "")
            } else if whole.starts_with(b"HTTP/1.1 401") {
                // Its own place for tokens is without HTTPS, as it knows of none.
                answer(
                    "401 Unauthorized",
                    "WWW-Authenticate: Basic realm=\"r\"\r\n",
                    "",
                )
            } else {
                whole
            }
        };
        let proxy = Proxy::before(from.address(), Box::new(sends)).await;
        let dir = tempfile::tempdir().unwrap();
        let port = with_tls(proxy.address, dir.path()).await.port();
        let (url, ca) = (
            format!("https://localhost:{port}"),
            dir.path().join("ca.pem"),
        );
        let mut migrate = through(&to, &["migrate", "--from", &url, "--source-user", "AWS"]);
        migrate.arg("--source-ca-file").arg(&ca);
        migrate.env("LONGSHORE_SOURCE_PASSWORD", from.password().await);
        let said = refusal(migrate).await;
        assert!(said.contains(reason), "{said}");
        assert_eq!(elsewhere.heads(), [""; 0], "{reason}");
    }
}
