//! A network between the engine and the server that fails when it is told to.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It arrives.
    Pass,
    /// It arrives late, in both directions.
    Slow(Duration),
    /// The next COMMIT does not arrive.
    LoseCommit,
    /// The next COMMIT arrives, but its answer does not.
    LoseAnswer,
    /// Like [`Self::LoseAnswer`], and nothing passes afterwards.
    LoseAnswerAndRefuse,
    /// There is no connection to be had.
    Refuse,
}

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mutex<Mode>,
    open: Mutex<Vec<Pair>>,
}

struct Pair {
    client: TcpStream,
    server: UnixStream,
}

impl Pair {
    fn cut(&self) {
        // Either may be gone already.
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.server.shutdown(Shutdown::Both));
    }

    fn try_clone(&self) -> Self {
        Self {
            client: self.client.try_clone().unwrap(),
            server: self.server.try_clone().unwrap(),
        }
    }
}

impl Proxy {
    /// Listens on a free port for connections to the server's socket, as long as the process lives.
    pub(super) fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Pass),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if *accepting.mode.lock().unwrap() != Mode::Refuse {
                    let server = UnixStream::connect(&socket).unwrap();
                    accepting.connect(Pair { client, server });
                }
            }
        });
        Self { address, shared }
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
        if mode == Mode::Refuse {
            self.cut();
        }
    }

    /// Cuts all connections.
    pub(super) fn cut(&self) {
        self.shared.cut();
    }
}

impl Shared {
    fn cut(&self) {
        for pair in self.open.lock().unwrap().drain(..) {
            pair.cut();
        }
    }

    fn connect(self: &Arc<Self>, pair: Pair) {
        let losing = Arc::new(AtomicBool::new(false));
        let (up, down) = (pair.try_clone(), pair.try_clone());
        self.open.lock().unwrap().push(pair);
        let (shared, loses) = (Arc::clone(self), Arc::clone(&losing));
        thread::spawn(move || {
            let (mut from, mut to) = (&up.client, &up.server);
            pump(&mut from, &mut to, |bytes| shared.asks(bytes, &loses));
            up.cut();
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let (mut from, mut to) = (&down.server, &down.client);
            pump(&mut from, &mut to, |_| {
                shared.linger();
                !losing.load(Ordering::SeqCst)
            });
            down.cut();
        });
    }

    fn linger(&self) {
        let mode = *self.mode.lock().unwrap();
        if let Mode::Slow(by) = mode {
            thread::sleep(by);
        }
    }

    /// Looks at what a client sends; returns whether it passes.
    fn asks(&self, bytes: &[u8], loses: &AtomicBool) -> bool {
        self.linger();
        let is_commit = bytes.windows(7).any(|window| window == b"COMMIT\0");
        let mut mode = self.mode.lock().unwrap();
        match *mode {
            Mode::LoseCommit if is_commit => {
                *mode = Mode::Pass;
                false
            }
            Mode::LoseAnswer if is_commit => {
                *mode = Mode::Pass;
                loses.store(true, Ordering::SeqCst);
                true
            }
            Mode::LoseAnswerAndRefuse if is_commit => {
                *mode = Mode::Refuse;
                loses.store(true, Ordering::SeqCst);
                true
            }
            _ => true,
        }
    }
}

fn pump(from: &mut impl Read, to: &mut impl Write, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(length @ 1..) if passes(&buffer[..length]) => {
                if to.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
