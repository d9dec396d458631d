//! Nothing that lets somebody in is ever written down where others read: not in logs at their most talkative, not in
//! errors, metrics, or in the clear in the data directory.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use longshore::first_start::Credentials;
use longshore_registry::bootstrap::AdministratorKey;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{Answer, Image, Request, basic, digest_of, password_of, sign},
    http::http2,
};

/// The program at its most talkative, and what it must not tell.
struct Watched {
    child: Child,
    address: SocketAddr,
    metrics: SocketAddr,
    credentials: Credentials,
    /// By what each is, for the report.
    secrets: Vec<(&'static str, String)>,
    /// All that it said in errors.
    errors: Vec<u8>,
    dir: TempDir,
}

/// Credentials, perhaps of a session.
struct Signer {
    credentials: Credentials,
    session: Option<String>,
}

impl Watched {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let metrics = free_port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-filter", "trace"])
            .args(["--metrics-listen", &metrics.to_string()])
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines: Vec<_> = stdout.lines().take(3).map(Result::unwrap).collect();
        let word = |name: &str| {
            let mut words = lines[0].split(' ');
            words.find_map(|word| word.strip_prefix(name)).unwrap()
        };
        let url = word("AWS_ENDPOINT_URL=");
        let credentials = Credentials {
            key: AdministratorKey {
                id: word("AWS_ACCESS_KEY_ID=").to_owned(),
                secret: word("AWS_SECRET_ACCESS_KEY=").to_owned(),
            },
            url: url.to_owned(),
            region: "us-east-1".parse().unwrap(),
        };
        let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
        Self {
            child,
            address: ([127, 0, 0, 1], port).into(),
            metrics,
            secrets: vec![("the administrator's secret", credentials.key.secret.clone())],
            credentials,
            errors: Vec::new(),
            dir,
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    fn keep(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        self.secrets.push((what, secret.clone()));
        secret
    }

    fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    async fn send(&mut self, request: Request) -> Answer {
        let answer = request.send().await;
        if answer.status >= 400 {
            self.errors
                .extend_from_slice(format!("{:?}", answer.headers).as_bytes());
            self.errors.extend_from_slice(&answer.body);
        }
        answer
    }

    fn call(&self, operation: &str, input: &Value) -> Request {
        self.request("POST", "/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
            )
            .body(input.to_string())
    }

    fn sign(&self, request: Request) -> Request {
        sign(request, &self.credentials, "us-east-1", "ecr")
    }

    async fn aws(&mut self, operation: &str, input: &Value) -> Answer {
        let call = self.sign(self.call(operation, input));
        self.send(call).await
    }

    /// Calls IAM or STS; keeps what of the answer is secret.
    async fn form(&mut self, signer: &Signer, service: &str, members: &[(&str, &str)]) -> Answer {
        let members = members.iter().map(|(name, value)| {
            let value = longshore::route::query::escaped(value);
            format!("{name}={value}")
        });
        let members: Vec<_> = members.collect();
        let mut call = self
            .request("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(members.join("&"));
        if let Some(token) = &signer.session {
            call = call.header("X-Amz-Security-Token", token);
        }
        let call = sign(call, &signer.credentials, "us-east-1", service);
        let answer = self.send(call).await;
        for (what, element) in [
            ("a secret access key", "SecretAccessKey"),
            ("a session token", "SessionToken"),
        ] {
            if let Some(secret) = answer.element(element) {
                self.keep(what, secret);
            }
        }
        answer
    }

    async fn iam(&mut self, action: &str, members: &[(&str, &str)]) -> Answer {
        let signer = self.administrator();
        let call = [&[("Action", action), ("Version", "2010-05-08")], members].concat();
        self.form(&signer, "iam", &call).await
    }

    async fn sts(&mut self, signer: &Signer, action: &str, members: &[(&str, &str)]) -> Answer {
        let call = [&[("Action", action), ("Version", "2011-06-15")], members].concat();
        self.form(signer, "sts", &call).await
    }

    fn administrator(&self) -> Signer {
        Signer {
            credentials: self.credentials.clone(),
            session: None,
        }
    }

    /// Whoever an answer makes its caller.
    fn signer(&self, answer: &Answer) -> Signer {
        let mut credentials = self.credentials.clone();
        credentials.key.id = answer.element("AccessKeyId").unwrap();
        credentials.key.secret = answer.element("SecretAccessKey").unwrap();
        Signer {
            credentials,
            session: answer.element("SessionToken"),
        }
    }

    /// Stops the server and returns all that it wrote: logs, errors, and the stores.
    async fn stop(mut self) -> Vec<(String, Vec<u8>)> {
        let metrics = Request::new(self.metrics, "GET", "/metrics").send().await;
        let mut written = vec![
            ("metrics".to_owned(), metrics.expect(200).body),
            ("errors".to_owned(), std::mem::take(&mut self.errors)),
        ];
        // Killed, so that the log of SQLite is there, too.
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        self.child.wait().unwrap();
        written.push((
            "log".to_owned(),
            fs::read(self.dir.path().join("log")).unwrap(),
        ));
        stored(&self.data(), &mut written);
        written
    }
}

/// A port that nobody has at the moment.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// All files but the two that are there to hold a secret.
fn stored(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            stored(&path, found);
        } else if name != "admin.env" && name != "master.key" {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// Some of the middle, so that a secret that was cut short is found, too.
fn middle(secret: &[u8]) -> &[u8] {
    let length = secret.len().min(16);
    let start = (secret.len() - length) / 2;
    &secret[start..start + length]
}

/// What gives `secret` away.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let login = STANDARD.encode(format!("AWS:{secret}"));
    let base64 = STANDARD.encode(secret);
    let mut forms: Vec<_> = [secret.as_bytes(), login.as_bytes(), base64.as_bytes()]
        .map(|form| middle(form).to_vec())
        .into();
    if let Some(bytes) = unhex(secret) {
        forms.push(middle(&bytes).to_vec());
    }
    forms
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

async fn sign_wrongly(t: &mut Watched) {
    let guess = t.keep(
        "a guessed secret",
        "guessedGUESSEDguessedGUESSEDguessedGUESS",
    );
    let mut stranger = t.credentials.clone();
    stranger.key.secret = guess;
    let call = sign(
        t.call("DescribeRegistry", &json!({})),
        &stranger,
        "us-east-1",
        "ecr",
    );
    t.send(call).await.expect(400);
    let session = t.keep("a session token", "sessionSESSIONsessionSESSIONsession");
    let call = t.call("DescribeRegistry", &json!({}));
    let call = t.sign(call.header("X-Amz-Security-Token", session.clone()));
    t.send(call).await.expect(403);
    let signature = t.keep(
        "a signature in a query",
        "0123456789abcdef".repeat(4).replace("34", "43"),
    );
    let id = t.credentials.key.id.clone();
    let target = format!(
        "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={id}%2F20300101%2Fus-east-1%2Fecr%2Faws4_request&X-Amz-Date=20300101T000000Z\
         &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}&X-Amz-Security-Token={session}"
    );
    let presigned = t.request("POST", &target);
    assert!(t.send(presigned).await.status >= 400);
    for header in [
        format!("AWS4-HMAC-SHA256 Credential={id}, Signature={signature}"),
        format!("AWS4-HMAC-SHA256 {session}"),
        format!("Basic {session}"),
        format!("Bearer {session}"),
        basic("AWS", &session),
        basic("root", &session),
    ] {
        for target in [
            "/",
            "/v2/",
            "/v2/app/tags/list",
            "/token/",
            "/v2/APP/manifests/v1",
        ] {
            let method = if target == "/" { "POST" } else { "GET" };
            let request = t
                .request(method, target)
                .header("Authorization", header.clone());
            assert!(t.send(request).await.status >= 400);
        }
    }
}

async fn log_in(t: &mut Watched) -> String {
    let answer = t.aws("GetAuthorizationToken", &json!({})).await.expect(200);
    let password = t.keep("a password", password_of(&answer));
    let login = t
        .request("GET", "/token/")
        .header("Authorization", basic("AWS", &password));
    let token = t.send(login).await.expect(200).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = t.keep("a token", token);
    let ping = t.request("GET", "/v2/").bearer(&token);
    t.send(ping).await.expect(200);
    password
}

async fn push_and_pull(t: &mut Watched, password: &str) {
    let image = Image::new("secrets", 1);
    for blob in image.blobs() {
        let target = format!("/v2/app/blobs/uploads/?digest={}", digest_of(blob));
        let push = t
            .request("POST", &target)
            .header("Authorization", basic("AWS", password));
        t.send(push.body(blob)).await.expect(201);
    }
    let put = t.request("PUT", "/v2/app/manifests/v1").bearer(password);
    let put = put
        .header("Content-Type", Image::MEDIA_TYPE)
        .body(image.manifest());
    t.send(put).await.expect(201);
    let layer = image.blobs().last().unwrap().to_vec();
    let text = String::from_utf8(layer.clone()).unwrap();
    t.keep("what a layer holds", text);
    let wanted = json!({ "repositoryName": "app", "layerDigest": digest_of(&layer) });
    let answer = t
        .aws("GetDownloadUrlForLayer", &wanted)
        .await
        .expect(200)
        .json();
    let url = answer["downloadUrl"].as_str().unwrap();
    let target = url[url.find("/layers/").unwrap()..].to_owned();
    let grant = t.keep("a layer URL", target.split_once("grant=").unwrap().1);
    let get = t.request("GET", &target);
    assert_eq!(t.send(get).await.expect(200).body, layer);
    let other = format!("/layers/{}?grant={grant}", digest_of(b"another"));
    for target in [
        other,
        format!("/v2/app/tags/list?grant={grant}"),
        format!("/{grant}?{grant}"),
    ] {
        let request = t.request("GET", &target);
        assert!(t.send(request).await.status >= 400);
    }
    let mut client = http2::connect(t.address).await;
    let pull = t.request("GET", "/v2/app/manifests/v1").bearer(password);
    assert_eq!(http2::send(&mut client, "localhost", pull).await.0, 200);
}

async fn make_keys_and_sessions(t: &mut Watched) {
    let bob = [("UserName", "bob")];
    t.iam("CreateUser", &bob).await.expect(200);
    let key = t.iam("CreateAccessKey", &bob).await.expect(200);
    let bob = t.signer(&key);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}"#;
    let role = [("RoleName", "ci"), ("AssumeRolePolicyDocument", trust)];
    t.iam("CreateRole", &role).await.expect(200);
    let administrator = t.administrator();
    let federated = [("Name", "guest")];
    t.sts(&administrator, "GetFederationToken", &federated)
        .await
        .expect(200);
    t.sts(&bob, "GetSessionToken", &[]).await.expect(200);
    let arn = ("RoleArn", "arn:aws:iam::000000000000:role/ci");
    let assumed = t
        .sts(&bob, "AssumeRole", &[arn, ("RoleSessionName", "one")])
        .await;
    let session = t.signer(&assumed.expect(200));
    t.sts(&session, "GetCallerIdentity", &[]).await.expect(200);
    t.form(
        &session,
        "iam",
        &[("Action", "ListUsers"), ("Version", "2010-05-08")],
    )
    .await
    .expect(403);
    let mut forged = t.signer(&key);
    forged.session = session.session;
    t.sts(&forged, "GetCallerIdentity", &[]).await.expect(403);

    let token = t.keep(
        "a web identity token",
        "tokenTOKENtokenTOKEN.tokenTOKENtokenTOKEN.tokenTOKEN",
    );
    let call = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=ci&RoleArn=arn:aws:iam::000000000000:role/ci&WebIdentityToken={token}"
    );
    let unsigned = t
        .request("POST", "/")
        .header("Content-Type", "application/x-www-form-urlencoded");
    t.send(unsigned.body(call)).await.expect(400);
    let n_kept = |wanted: &str| t.secrets.iter().filter(|(what, _)| *what == wanted).count();
    assert_eq!(
        (n_kept("a secret access key"), n_kept("a session token")),
        (4, 4)
    );
}

#[tokio::test]
async fn no_secret_is_written_down() {
    let mut t = Watched::start();
    let master = fs::read_to_string(t.data().join("master.key")).unwrap();
    t.keep("the master key", master.trim());
    t.aws("CreateRepository", &json!({ "repositoryName": "app" }))
        .await
        .expect(200);
    sign_wrongly(&mut t).await;
    let password = log_in(&mut t).await;
    push_and_pull(&mut t, &password).await;
    make_keys_and_sessions(&mut t).await;

    let (secrets, id) = (t.secrets.clone(), t.credentials.key.id.clone());
    let written = t.stop().await;
    let of = |name: &str| &written.iter().find(|(found, _)| found == name).unwrap().1;
    // What is searched is really there.
    assert!(holds(of("log"), b"\"route\":\"token\"") && holds(of("log"), b"\"target\":\"h2::"));
    assert!(holds(of("errors"), b"InvalidSignatureException"));
    assert!(holds(
        of("metrics"),
        b"longshore_failed_authentications_total"
    ));
    let stored = [of("metadata.sqlite"), of("metadata.sqlite-wal")];
    assert!(stored.iter().any(|file| holds(file, id.as_bytes())));
    let mut told = Vec::new();
    for (what, secret) in &secrets {
        for (place, text) in &written {
            if forms(secret).iter().any(|form| holds(text, form)) {
                told.push(format!("{what} is in {place}"));
            }
        }
    }
    assert!(told.is_empty(), "{told:?}");
}
