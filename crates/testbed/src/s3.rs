//! S3 servers, over a temporary directory and on a free port of the loopback.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The one bucket of every server.
pub const BUCKET: &str = "longshore";
/// The access key of every server.
pub const KEY_ID: &str = "AKIATESTTESTTESTTEST";
/// Its secret.
pub const SECRET: &str = "testtesttesttesttesttesttesttesttesttest";
/// The region of every server.
pub const REGION: &str = "us-east-1";

/// A master key: a server makes none when it keeps its blobs elsewhere.
pub const MASTER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

const STARTING: Duration = Duration::from_secs(30);

/// Whether tests are told to keep blobs in S3, by `LONGSHORE_TEST_BLOBS=s3`.
pub fn is_chosen() -> bool {
    env::var("LONGSHORE_TEST_BLOBS").is_ok_and(|chosen| chosen == "s3")
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The real one.
    VersityGw,
    /// The quick one.
    S3sFs,
}

/// A server with one bucket, over a directory of its own.
#[derive(Debug)]
pub struct S3Server {
    /// Where it listens.
    pub address: SocketAddr,
    kind: Kind,
    directory: TempDir,
    /// The shell that ends the server when nobody holds its input.
    guard: Child,
}

impl S3Server {
    /// Starts a server; panics if it is not installed. Blocks.
    pub fn start(kind: Kind) -> Self {
        Self::start_in(kind, &env::temp_dir())
    }

    /// Starts a server over a new directory in `parent`.
    pub fn start_in(kind: Kind, parent: &Path) -> Self {
        let mut log = String::new();
        // Another process may take the port between its choice and its use.
        for _ in 0..3 {
            let directory = tempfile::Builder::new()
                .prefix("longshore-s3-")
                .tempdir_in(parent);
            let directory = directory.unwrap();
            fs::create_dir_all(directory.path().join("root").join(BUCKET)).unwrap();
            let address = free_address();
            let server = Self {
                address,
                kind,
                guard: spawn(kind, directory.path(), address),
                directory,
            };
            if answers(address) {
                return server;
            }
            log = fs::read_to_string(server.directory.path().join("log")).unwrap_or_default();
        }
        panic!("{kind:?} does not start: {log}");
    }

    /// The one server of this process, which ends with it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<S3Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Kind::VersityGw))
    }

    /// The URL that clients are told.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a process is told so that it keeps its blobs here, under a prefix.
    pub fn environment(&self, prefix: &str) -> [(&'static str, String); 6] {
        [
            ("LONGSHORE_BLOBS", format!("s3://{BUCKET}/{prefix}")),
            ("LONGSHORE_S3_ENDPOINT", self.endpoint()),
            ("LONGSHORE_S3_REGION", REGION.to_owned()),
            ("LONGSHORE_S3_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("LONGSHORE_S3_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("LONGSHORE_MASTER_KEY", MASTER_KEY.to_owned()),
        ]
    }

    /// Returns a prefix that nobody else has.
    pub fn fresh_prefix(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("test/{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Where the server keeps the object of this name.
    pub fn path(&self, key: &str) -> PathBuf {
        self.directory.path().join("root").join(BUCKET).join(key)
    }

    /// The names of all objects under a prefix, and of the multipart uploads that are not complete.
    pub fn names(&self, prefix: &str) -> (Vec<String>, Vec<String>) {
        let root = self.path("");
        let (mut objects, mut uploads) = (Vec::new(), Vec::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap_or(&path);
                let name = name.to_string_lossy().into_owned();
                // Here versitygw keeps an upload in two directories, the latter named by its id.
                let is_upload = name.starts_with(".sgwtmp/multipart/");
                if is_upload && name.matches('/').count() == 3 {
                    uploads.push(name);
                } else if path.is_dir() {
                    folders.push(path);
                } else if name.starts_with(prefix) {
                    objects.push(name);
                }
            }
        }
        assert_eq!(self.kind, Kind::VersityGw, "only of versitygw");
        (objects, uploads)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It ends when its input does; how, nobody asks.
        let _ = self.guard.wait();
    }
}

fn free_address() -> SocketAddr {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap()
}

fn spawn(kind: Kind, directory: &Path, address: SocketAddr) -> Child {
    let root = directory.join("root").to_string_lossy().into_owned();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let address = address.to_string();
    let (program, args) = match kind {
        Kind::VersityGw => (
            installed("versitygw"),
            vec![
                "--access", KEY_ID, "--secret", SECRET, "--port", &address, "--quiet", "posix",
                &root,
            ],
        ),
        Kind::S3sFs => (
            installed("s3s-fs"),
            vec![
                "--access-key",
                KEY_ID,
                "--secret-key",
                SECRET,
                "--host",
                &host,
                "--port",
                &port,
                &root,
            ],
        ),
    };
    // When the process that holds the other end of the input is gone, be it by SIGKILL, so is the server.
    let script = r#"dir=$1; shift; "$@" >"$dir/log" 2>&1 </dev/null & server=$!
                    cat >/dev/null; kill -KILL $server; wait $server 2>/dev/null; rm -rf "$dir""#;
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(directory)
        .arg(program)
        .args(args)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

fn answers(address: SocketAddr) -> bool {
    let began = Instant::now();
    while began.elapsed() < STARTING {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

fn installed(program: &str) -> PathBuf {
    let own = env::var_os("LONGSHORE_CLIENTS_DIR").map(PathBuf::from);
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/longshore-clients"));
    let first = own.or_else(usual).map(|directory| directory.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first.into_iter().chain(env::split_paths(&path));
    let found = folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{program}` is not installed: run `cargo xtask install`"))
}
