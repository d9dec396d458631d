//! A siege: a great many connections that want nothing, and beside them clients that mean well.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::stock::Stock;
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::measure::{Tally, descriptors, float, resident_bytes, tree};
use crate::payload::Mold;
use crate::registry::Style;

const SIZE: usize = 1 << 20;
/// Where besiegers come from, so that those who mean well have an address of their own.
const BESIEGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How many besiegers connect at a time.
const ABREAST: u64 = 64;
/// After how long who is not answered gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a besieger sends another line.
const DRIP: Duration = Duration::from_secs(5);
/// How long a client that means well rests.
const REST: Duration = Duration::from_millis(250);
/// How long the server may take to be as before.
const RECOVERY: Duration = Duration::from_mins(1);

/// Pulls of a layer of 1 MiB, each over a new connection, while `connections` others send heads that never end.
#[derive(Debug)]
pub(super) struct Siege {
    pub(super) connections: u64,
    pub(super) seed: u64,
}

#[async_trait(?Send)]
impl Workload for Siege {
    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        let mut stock = Stock::repositories(target, &format!("siege-s{}", self.seed), 1)?;
        let repository = stock.repositories[0].clone();
        let layer = Mold::new(SIZE, self.seed).cast(0);
        let mut registry = target.client();
        if !registry.has_blob(&repository, layer.digest()).await? {
            registry.push_blob(&repository, &layer, Style::Put).await?;
        }
        let path = format!("/v2/{repository}/blobs/{}", layer.digest());
        stock.paths.push((repository, path));
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let (repository, path) = &stock.paths[0];
        let pull = async || pull(trial.target, repository, path).await;
        if trial.round == 0 {
            pull().await?;
            return Ok(Tally::default());
        }
        let pid = trial
            .target
            .pid()
            .context("there is no process to look at")?;
        let before = resident_bytes(&tree(pid));
        let mut besiegers = self.surround(trial.target).await;
        let n_connected = float(besiegers.len() as u64);
        let began = Instant::now();
        let siege = async {
            while began.elapsed() < trial.bound.time {
                sleep(DRIP.min(trial.bound.time)).await;
                besiegers.retain(|stream| is_open(stream) && drip(stream));
            }
            let growth = resident_bytes(&tree(pid)).saturating_sub(before);
            (float(growth), float(descriptors(pid) as u64))
        };
        let good = trial.drive(async |_| {
            sleep(REST).await;
            timeout(PATIENCE, pull()).await.context("no answer")?
        });
        let ((growth, n_descriptors), mut tally) = futures_util::future::join(siege, good).await;
        let n_left = float(besiegers.len() as u64);
        drop(besiegers);
        let ended = Instant::now();
        let mut answer = timeout(PATIENCE, pull()).await;
        while !matches!(answer, Ok(Ok(_))) && ended.elapsed() < RECOVERY {
            sleep(REST).await;
            answer = timeout(PATIENCE, pull()).await;
        }
        let recovered = float(u64::from(matches!(answer, Ok(Ok(_)))));
        tally.figures.extend([
            ("besiegers_connected", n_connected),
            ("besiegers_left", n_left),
            ("descriptors", n_descriptors),
            ("rss_growth_bytes", growth),
            ("recovered", recovered),
        ]);
        Ok(tally)
    }
}

impl Siege {
    /// Opens all connections that can be opened, and sends the beginning of a head over each.
    async fn surround(&self, target: &Target) -> Vec<TcpStream> {
        let endpoint = target.endpoint();
        let head = format!("GET /v2/ HTTP/1.1\r\nHost: {}\r\n", endpoint.authority);
        let mut open = Vec::new();
        let mut left = self.connections;
        while left > 0 {
            let some = left.min(ABREAST);
            left -= some;
            let connects = (0..some).map(|_| timeout(PATIENCE, connect(endpoint.address)));
            let before = open.len();
            open.extend(join_all(connects).await.into_iter().flatten().flatten());
            for stream in &open[before..] {
                // Whoever is refused already is found out later.
                let _ = stream.try_write(head.as_bytes());
            }
            if open.len() == before {
                // Nobody gets in any more.
                break;
            }
        }
        open
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if address.ip().is_loopback() {
        socket.bind((BESIEGER, 0).into())?;
    }
    socket.connect(address).await
}

/// Whether the server has neither answered nor hung up.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0; 512]);
    matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Sends another line of a head; says whether that was possible.
fn drip(stream: &TcpStream) -> bool {
    stream.try_write(b"X-More: to come\r\n").is_ok()
}

async fn pull(target: &Target, repository: &str, path: &str) -> Result<u64> {
    let mut registry = target.client();
    let answer = registry.get(repository, path, Sink::Discard).await?;
    let length = answer.expect(200, path)?.length;
    ensure!(length == SIZE as u64, "{path} came with {length} bytes");
    Ok(length)
}
