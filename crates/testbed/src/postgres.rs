//! PostgreSQL, as Debian packages it, in a temporary directory and behind a socket there.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::fs::statvfs;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The user and group `nobody`, as whom a server runs that root starts: PostgreSQL refuses root.
const NOBODY: u32 = 65_534;

/// Without these a test's server is fast, and tells of deadlocks at once; its machine must not fail.
const FAST: &str = "fsync=off\nfull_page_writes=off\nmax_wal_size=128MB\n";
/// Memory that is a file system, and how much of it has to be free. Several test programs run beside each other and see the same
/// room.
const MEMORY: (&str, u64) = ("/dev/shm", 4 << 30);
/// How much memory the machine must have left: what is written there takes it from everybody.
const AVAILABLE: u64 = 8 << 30;
const ALWAYS: &str = "listen_addresses=''\nmax_connections=500\nshared_buffers=64MB\nautovacuum=off\njit=off\n\
                      deadlock_timeout=20ms\nwal_level=minimal\nmax_wal_senders=0\nlog_min_messages=fatal\n";

/// A server.
#[derive(Debug)]
pub struct Server {
    dir: TempDir,
    binaries: PathBuf,
    as_nobody: bool,
    running: Option<Running>,
}

/// The shell that runs the server and stops it when nobody holds its standard input, however that came about.
#[derive(Debug)]
struct Running {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts a server whose data does not outlive its machine, but is quickly written: in memory where there is enough.
    ///
    /// Each database is a thousand files, and ext4 looks at every inode that was removed in the last minutes before it takes one for
    /// a new file, so that databases that come and go cost half a second each.
    pub fn fast() -> Self {
        let (memory, needed) = MEMORY;
        let has_room = statvfs(memory).is_ok_and(|room| room.f_bavail * room.f_frsize >= needed);
        let place = if has_room && available() >= AVAILABLE {
            PathBuf::from(memory)
        } else {
            env::temp_dir()
        };
        Self::at(&place, FAST)
    }

    /// Starts a server with further settings, such as `fsync=on`, a line each.
    pub fn with(settings: &str) -> Self {
        Self::at(&env::temp_dir(), settings)
    }

    fn at(place: &Path, settings: &str) -> Self {
        let binaries = binaries();
        let dir = tempfile::Builder::new()
            .prefix("longshore-pg-")
            .tempdir_in(place)
            .unwrap();
        let as_nobody = fs::metadata(dir.path()).unwrap().uid() == 0;
        if as_nobody {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut server = Self {
            dir,
            binaries,
            as_nobody,
            running: None,
        };
        let made = server
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=longshore"])
            .args(["--locale=C", "--encoding=UTF8", "--pgdata"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb failed: {made:?}");
        let file = server.data().join("postgresql.auto.conf");
        fs::write(&file, format!("{ALWAYS}{settings}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        server.start();
        server
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The server's version, such as 15.
    fn major(&self) -> u32 {
        let version = fs::read_to_string(self.data().join("PG_VERSION")).unwrap();
        version.trim().parse().unwrap()
    }

    /// The directory of the server's data, for certificates and the like.
    pub fn data_dir(&self) -> PathBuf {
        self.data()
    }

    /// Where its socket is.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(".s.PGSQL.5432")
    }

    /// Returns a URL of the database `name`.
    pub fn url(&self, name: &str) -> String {
        let socket = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://longshore@{socket}/{name}")
    }

    fn command(&self, name: &str) -> Command {
        let binary = self.binaries.join(name);
        let mut command = if self.as_nobody {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(binary);
            command
        } else {
            Command::new(binary)
        };
        command.current_dir(self.dir.path());
        command
    }

    /// Starts the server again after [`Self::kill`].
    pub fn start(&mut self) {
        let server = self.command("postgres");
        let words = [server.get_program()].into_iter().chain(server.get_args());
        // When the process that holds the other end of the input is gone, be it by SIGKILL, so is the server.
        let script = r#"dir=$1; shift; "$@" -D "$dir/data" -k "$dir" >"$dir/log" 2>&1 </dev/null & server=$!
                        cat >/dev/null; kill -QUIT $server; wait $server; [ -e "$dir/kept" ] || rm -rf "$dir""#;
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(self.dir.path())
            .args(words)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let input = shell.stdin.take();
        self.running = Some(Running { shell, input });
        let until = Instant::now() + Duration::from_mins(1);
        while let Err(error) = self.try_sql("postgres", "SELECT 1") {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "no PostgreSQL: {error}\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server at once, as a failure of its machine would, but for what the kernel still writes.
    pub fn kill(&mut self) {
        fs::write(self.dir.path().join("kept"), "").unwrap();
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        signal("KILL", &pid);
        self.stop();
        // Its children end when they find it gone, and a new server refuses to start before.
        let lives = |child: &str| Path::new("/proc").join(child).exists();
        let until = Instant::now() + Duration::from_mins(1);
        while children.split_whitespace().any(lives) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(200));
    }

    fn stop(&mut self) {
        if let Some(Running { mut shell, input }) = self.running.take() {
            drop(input);
            shell.wait().unwrap();
        }
    }

    /// Runs statements in the database `name`.
    pub fn sql(&self, name: &str, sql: &str) {
        self.try_sql(name, sql).unwrap();
    }

    /// Runs statements in the database `name`, if it is there.
    pub fn try_sql(&self, name: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
        let (url, sql) = (self.url(name), sql.to_owned());
        // A test may be inside a runtime, which this must not block.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                drop(tokio::spawn(connection));
                client.batch_execute(&sql).await
            })
        })
        .join()
        .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(fs::remove_file(self.dir.path().join("kept")));
        self.stop();
    }
}

fn signal(signal: &str, pid: &str) {
    let sent = Command::new("kill").args(["-s", signal, pid]).status();
    assert!(sent.unwrap().success());
}

/// How much memory is left, in bytes; none where the system does not tell.
fn available() -> u64 {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = told
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// Where Debian, or the path, has the server's programs.
fn binaries() -> PathBuf {
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<PathBuf> = packaged
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    packaged.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let has_server = |dir: &Path| dir.join("postgres").exists() && dir.join("initdb").exists();
    packaged
        .into_iter()
        .rev()
        .chain(env::split_paths(&path))
        .find(|dir| has_server(dir))
        .expect("PostgreSQL is not installed: `cargo xtask install` does it (package `postgresql`)")
}

/// A database of the process's own server; it goes when this is dropped.
#[derive(Debug)]
pub struct Database {
    name: String,
    server: &'static Server,
}

impl Database {
    /// Makes an empty database.
    pub fn empty() -> Self {
        Self::of("template0")
    }

    /// Makes a database that is as `prepare` left another one, the first time that it was asked to.
    pub fn prepared(prepare: impl FnOnce(&str)) -> Self {
        static PREPARED: OnceLock<()> = OnceLock::new();
        PREPARED.get_or_init(|| {
            let server = server();
            server.sql("postgres", "CREATE DATABASE prepared TEMPLATE template0");
            prepare(&server.url("prepared"));
        });
        Self::of("prepared")
    }

    fn of(template: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let server = server();
        // Before 15 there was no other.
        let strategy = match server.major() {
            ..15 => "",
            15.. => "STRATEGY FILE_COPY",
        };
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
        server.sql("postgres", &sql);
        Self { name, server }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Runs statements in it.
    pub fn sql(&self, sql: &str) {
        self.server.sql(&self.name, sql);
    }

    /// The server that it is on.
    pub fn server(&self) -> &'static Server {
        self.server
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Whatever went wrong is told by the test itself.
        drop(self.server.try_sql("postgres", &sql));
    }
}

/// The one server of this process, started when it is first needed.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::fast)
}

/// Whether the tests of this run are to use PostgreSQL, by `LONGSHORE_TEST_ENGINE`: `sqlite` (as without it) or `postgres`.
pub fn is_chosen() -> bool {
    match env::var("LONGSHORE_TEST_ENGINE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite" | "") | Err(_) => false,
        Ok(other) => {
            panic!("LONGSHORE_TEST_ENGINE cannot be `{other}`: it is `sqlite` or `postgres`")
        }
    }
}
