//! Clients that push without end, and go on where they were when the server dies under them.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;

use crate::{
    REPOSITORY, WORKERS,
    api::sha256,
    http::{Answer, Connection},
    ledger::{Ledger, password_over},
    until,
};

/// How long they wait for an answer before they ask elsewhere: shorter than a server sleeps.
pub(crate) const HASTE: Duration = Duration::from_secs(5);

/// What the clients share.
pub(crate) struct Load {
    /// Of each server, by turns.
    addresses: Mutex<Vec<SocketAddr>>,
    /// What all log in with, if they do not ask each time.
    password: Option<String>,
    turn: AtomicUsize,
    over: AtomicBool,
    pub(crate) ledger: Mutex<Ledger>,
}

impl Load {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses: Mutex::new(addresses),
            password: None,
            turn: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            ledger: Mutex::default(),
        }
    }

    /// The same for clients that have a password.
    pub(crate) fn with_password(addresses: Vec<SocketAddr>, password: &str) -> Self {
        Self {
            password: Some(password.to_owned()),
            ..Self::new(addresses)
        }
    }

    /// Starts clients.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let start = |worker| {
            let load = Arc::clone(self);
            thread::spawn(move || work(&load, worker))
        };
        (0..WORKERS).map(start).collect()
    }

    /// Waits until so much more was acknowledged.
    pub(crate) fn until_more(&self, operations: usize) {
        let done = || self.ledger.lock().unwrap().operations();
        let enough = done() + operations;
        until("enough is acknowledged", || done() >= enough);
    }

    /// Lets the clients come to an end.
    pub(crate) fn end(&self, workers: Vec<JoinHandle<()>>) {
        self.over.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
    }

    /// A server was started again.
    pub(crate) fn moved_to(&self, server: usize, address: SocketAddr) {
        self.addresses.lock().unwrap()[server] = address;
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.lock().unwrap().clone()
    }

    /// The server whose turn it is.
    fn address(&self) -> SocketAddr {
        let addresses = self.addresses.lock().unwrap();
        addresses[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len()]
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// A small generator, so that a seed repeats the choices.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = length.div_ceil(8);
        let mut bytes = Vec::with_capacity(words * 8);
        for _ in 0..words {
            self.roll(2);
            bytes.extend(self.0.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// One logged-in connection.
struct Client {
    connection: Connection,
    password: String,
}

impl Client {
    fn open(load: &Load) -> io::Result<Self> {
        // What one server gives is good at all.
        let password = match &load.password {
            Some(password) => password.clone(),
            None => password_over(Connection::within(load.address(), HASTE)?)?,
        };
        Ok(Self {
            connection: Connection::within(load.address(), HASTE)?,
            password,
        })
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/v2/{REPOSITORY}/{path}")
        };
        let headers = [
            ("host", "localhost"),
            ("authorization", self.password.as_str()),
            ("content-type", "application/vnd.oci.image.manifest.v1+json"),
        ];
        let answer = self.connection.send(method, &path, &headers, body)?;
        // A server that is being killed may still say that it cannot.
        if answer.status >= 500 {
            return Err(io::Error::other(answer.text()));
        }
        Ok(answer)
    }
}

/// An upload under way.
struct Upload {
    bytes: Vec<u8>,
    /// Its path, once there is one.
    path: Option<String>,
    /// What was acknowledged.
    at: usize,
    /// Where it may have come by what was not answered since: also later, if its server was not dead but asleep.
    sent: Vec<usize>,
}

impl Upload {
    fn send(&mut self, length: usize) -> &[u8] {
        let end = self.at + length;
        self.sent.push(end);
        &self.bytes[self.at..end]
    }

    fn is_at(&mut self, at: usize) {
        if at != self.at {
            self.at = at;
            self.sent.clear();
        }
    }

    fn begin_anew(&mut self) {
        self.path = None;
        self.at = 0;
        self.sent.clear();
    }
}

/// Pushes until it is over.
fn work(load: &Load, worker: usize) {
    let mut dice = Dice::new(worker as u64 + 7);
    let mut under_way = None;
    let mut n_tags = 0;
    while !load.is_over() {
        let Ok(mut client) = Client::open(load) else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        // Every error is the death of the server.
        let _ = push(
            load,
            &mut client,
            &mut dice,
            worker,
            &mut n_tags,
            &mut under_way,
        );
    }
}

fn push(
    load: &Load,
    client: &mut Client,
    dice: &mut Dice,
    worker: usize,
    n_tags: &mut usize,
    under_way: &mut Option<Upload>,
) -> io::Result<()> {
    if let Some(upload) = under_way {
        resume(load, client, upload)?;
    }
    while !load.is_over() {
        if under_way.is_none() {
            let length =
                [3_000, 50_000, 400_000, 2_500_000][usize::try_from(dice.roll(4)).unwrap()];
            *under_way = Some(Upload {
                bytes: dice.bytes(length),
                path: None,
                at: 0,
                sent: Vec::new(),
            });
        }
        let layer = under_way.as_mut().unwrap();
        if layer.path.is_none() && dice.roll(3) == 0 {
            push_whole(load, client, &layer.bytes)?;
        } else {
            push_in_chunks(load, client, dice, layer)?;
        }
        let layer = under_way.take().unwrap();
        let tag = format!("w{worker}-{n_tags}");
        *n_tags += 1;
        put_image(load, client, &tag, &layer.bytes)?;
    }
    Ok(())
}

fn acknowledge(load: &Load, bytes: &[u8]) {
    let digest = format!("sha256:{}", sha256(bytes));
    load.ledger
        .lock()
        .unwrap()
        .blobs
        .insert(digest, bytes.len());
}

fn push_whole(load: &Load, client: &mut Client, bytes: &[u8]) -> io::Result<()> {
    let path = format!("blobs/uploads/?digest=sha256:{}", sha256(bytes));
    let answer = client.send("POST", &path, bytes)?;
    assert_eq!(answer.status, 201, "{}", answer.text());
    acknowledge(load, bytes);
    Ok(())
}

fn push_in_chunks(
    load: &Load,
    client: &mut Client,
    dice: &mut Dice,
    upload: &mut Upload,
) -> io::Result<()> {
    let path = if let Some(path) = &upload.path {
        path.clone()
    } else {
        let begun = client.send("POST", "blobs/uploads/", b"")?;
        assert_eq!(begun.status, 202, "{}", begun.text());
        let path = begun.header("location").unwrap().to_owned();
        upload.path.insert(path).clone()
    };
    while upload.bytes.len() - upload.at > 2000 && dice.roll(4) > 0 {
        let most = (upload.bytes.len() - upload.at - 1) as u64;
        let length = 2 + usize::try_from(dice.roll(most - 1)).unwrap();
        let answer = client.send("PATCH", &path, upload.send(length))?;
        expect(&answer, 202)?;
        upload.is_at(upload.at + length);
        load.ledger.lock().unwrap().chunks += 1;
        if dice.roll(2) == 0 {
            *client = Client::open(load)?;
        }
    }
    close(load, client, upload, &path)
}

fn close(load: &Load, client: &mut Client, upload: &mut Upload, path: &str) -> io::Result<()> {
    let closing = format!("{path}?digest=sha256:{}", sha256(&upload.bytes));
    let answer = client.send("PUT", &closing, upload.send(upload.bytes.len() - upload.at))?;
    expect(&answer, 201)?;
    acknowledge(load, &upload.bytes);
    Ok(())
}

/// Another answer is right if the upload has moved since it was looked at; then [`resume`] says whether it may have.
fn expect(answer: &Answer, status: u16) -> io::Result<()> {
    match answer.status {
        found if found == status => Ok(()),
        404 | 409 | 416 => Err(io::Error::other(answer.text())),
        found => panic!("{found} instead of {status}: {}", answer.text()),
    }
}

/// Finds an upload where it was acknowledged, or past the one request that went unanswered.
fn resume(load: &Load, client: &mut Client, upload: &mut Upload) -> io::Result<()> {
    let Some(path) = upload.path.clone() else {
        return Ok(());
    };
    let status = client.send("GET", &path, b"")?;
    let stands = status
        .header("range")
        .and_then(|range| range.strip_prefix("0-")?.parse().ok());
    let stands: Option<usize> = stands.map(|last: usize| if last == 0 { 0 } else { last + 1 });
    let mut ledger = load.ledger.lock().unwrap();
    let whole = upload.bytes.len();
    match (status.status, stands) {
        (204, Some(at)) if at == upload.at || (at < whole && upload.sent.contains(&at)) => {
            upload.is_at(at);
            ledger.resumed += 1;
        }
        // The close may have been done and its answer not have come: then it goes on from the start, and finds the blob.
        (404, _) if upload.sent.contains(&whole) => upload.begin_anew(),
        other => {
            let problem = format!(
                "upload at {} (sent {:?}): {other:?}",
                upload.at, upload.sent
            );
            ledger.wrong.push(problem);
            upload.begin_anew();
        }
    }
    Ok(())
}

fn put_image(load: &Load, client: &mut Client, tag: &str, layer: &[u8]) -> io::Result<()> {
    let config = format!("{{\"tag\":\"{tag}\"}}").into_bytes();
    push_whole(load, client, &config)?;
    let describe = |media_type: &str, bytes: &[u8]| {
        let digest = format!("sha256:{}", sha256(bytes));
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": describe("application/vnd.oci.image.config.v1+json", &config),
        "layers": [describe("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    .to_string();
    let answer = client.send("PUT", &format!("manifests/{tag}"), manifest.as_bytes())?;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let digest = format!("sha256:{}", sha256(manifest.as_bytes()));
    load.ledger
        .lock()
        .unwrap()
        .tags
        .insert(tag.to_owned(), digest);
    Ok(())
}
