//! What one client takes, others still have: counted in connections and in answers, not in time.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{Image, TestServer};

/// Connects from another address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of a request on a connection that stays open.
async fn status(stream: &mut TcpStream) -> String {
    let ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut answer = [0; 12];
    // Whoever is refused may be told before it asks.
    drop(stream.write_all(ask).await);
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

#[tokio::test]
async fn a_client_with_all_connections_it_can_get_leaves_some_to_others() {
    let t = TestServer::with(|config| config.limits.connections = Some(20)).await;
    let mut held = Vec::new();
    let mut n_served = 0;
    for _ in 0..40 {
        let mut connection = connect_from("127.0.0.2", t.address()).await;
        n_served += usize::from(status(&mut connection).await == "200");
        held.push(connection);
    }
    assert_eq!(n_served, 16);
    let mut other = connect_from("127.0.0.3", t.address()).await;
    assert_eq!(status(&mut other).await, "200");
}

#[tokio::test]
async fn a_flood_of_requests_lets_those_of_another_client_pass() {
    const FLOOD: usize = 100;
    const ASKED: usize = 20;
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    let pull = t.v2(&password, "GET", "app/manifests/v1");
    let (answered, over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let clients: Vec<_> = (0..FLOOD)
        .map(|_| {
            let (answered, over, pull) = (answered.clone(), over.clone(), pull.clone());
            let address = t.address();
            tokio::spawn(async move {
                let mut connection = crate::harness::connect(address).await;
                while !over.load(SeqCst) {
                    connection.send(pull.clone()).await.expect(200);
                    answered.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    while answered.load(SeqCst) < FLOOD {
        tokio::task::yield_now().await;
    }
    let before = answered.load(SeqCst);
    let mut connection = t.connect().await;
    for _ in 0..ASKED {
        connection.send(pull.clone()).await.expect(200);
    }
    let meanwhile = answered.load(SeqCst) - before;
    over.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    // In turn, each of them would be answered once for each of ours.
    assert!(meanwhile < 4 * FLOOD * ASKED, "{meanwhile}");
}
