//! `kill -9` while a long body goes to S3: what it leaves there is gone once its time has come.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    path::Path,
};

use longshore_testbed::s3::{Kind, S3Server};
use serde_json::json;

use crate::{
    REPOSITORY, api, kill,
    ledger::password,
    load::Dice,
    server::Server,
    stop,
    stores::{PREFIX, objects},
    until,
};

const LONG: usize = 40 * 1024 * 1024;

#[test]
fn a_killed_upload_leaves_nothing_in_s3() {
    let bucket = S3Server::start(Kind::VersityGw);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let start = || {
        let mut server = Server::spawn_with(&data, bucket.environment(PREFIX));
        let address = server.until_ready(&data);
        (server, address)
    };
    let (server, address) = start();
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    let created = api::call(address, "CreateRepository", &create);
    assert_eq!(created.unwrap().status, 200);

    let body = send_half(address);
    until("a part is there", || !bucket.names(PREFIX).1.is_empty());
    kill(server);
    drop(body);
    assert!(objects(&bucket, PREFIX).is_empty());

    // While its intent lasts, it stays; then it goes, and the row after it.
    let (server, _) = start();
    assert_eq!(doomed(&data).len(), 1);
    assert!(!bucket.names(PREFIX).1.is_empty());
    assert!(stop(server).success());
    let rows = rusqlite::Connection::open(data.join("metadata.sqlite")).unwrap();
    rows.execute("UPDATE doomed SET not_before = 0", [])
        .unwrap();
    drop(rows);
    let (server, _) = start();
    until("the upload is aborted", || {
        bucket.names(PREFIX).1.is_empty()
    });
    until("its row is gone", || doomed(&data).is_empty());
    assert!(objects(&bucket, PREFIX).is_empty());
    assert!(stop(server).success());
}

/// Sends half of what it announces.
fn send_half(address: SocketAddr) -> TcpStream {
    let password = password(address).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let head = format!(
        "POST /v2/{REPOSITORY}/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: localhost\r\nauthorization: {password}\r\ncontent-length: {LONG}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&Dice::new(1).bytes(LONG / 2)).unwrap();
    stream
}

fn doomed(data: &Path) -> Vec<[u8; 16]> {
    let rows = rusqlite::Connection::open(data.join("metadata.sqlite")).unwrap();
    let mut statement = rows.prepare("SELECT physical FROM doomed").unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}
