use super::*;
use crate::scripted::serve;

fn get(sink: Sink) -> Request<'static> {
    Request {
        method: "GET",
        path: "/v2/",
        headers: &[("X", "y")],
        body: Body::Absent,
        sink,
    }
}

#[tokio::test]
async fn one_connection_carries_sized_chunked_and_dropped_bodies() {
    let (endpoint, server) = serve(vec![vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345".to_owned(),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".to_owned(),
    ]]);
    let mut connection = Connection::new(endpoint);
    assert_eq!(
        connection.send(&get(Sink::Keep)).await.unwrap().body,
        b"abc"
    );
    assert_eq!(
        connection.send(&get(Sink::Keep)).await.unwrap().body,
        b"def"
    );
    let dropped = connection.send(&get(Sink::Discard)).await.unwrap();
    assert_eq!((dropped.length, dropped.body.len()), (5, 0));
    assert_eq!(
        connection.send(&get(Sink::Discard)).await.unwrap().body,
        b"gone"
    );
    assert!(server.join().unwrap()[0].contains("\r\nX: y\r\n\r\n"));
}

#[tokio::test]
async fn a_connection_found_closed_is_reopened_once() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (endpoint, server) = serve(vec![vec![answer.to_owned()], vec![answer.to_owned()]]);
    let mut connection = Connection::new(endpoint);
    connection.send(&get(Sink::Discard)).await.unwrap();
    connection.send(&get(Sink::Discard)).await.unwrap();
    assert_eq!(server.join().unwrap().len(), 2);
    assert!(connection.send(&get(Sink::Discard)).await.is_err());
}

#[tokio::test]
async fn bodies_are_sent_sized_or_chunked() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    let (endpoint, server) = serve(vec![vec![answer.to_owned(), answer.to_owned()]]);
    let mut connection = Connection::new(endpoint);
    let parts: &[&[u8]] = &[b"ab", b"", b"c"];
    for body in [Body::Sized(parts), Body::Chunked(parts)] {
        let request = Request {
            method: "PUT",
            body,
            ..get(Sink::Discard)
        };
        assert_eq!(connection.send(&request).await.unwrap().status, 201);
    }
    let received = server.join().unwrap();
    assert!(
        received[0].ends_with("Content-Length: 3\r\n\r\nabc"),
        "{}",
        received[0]
    );
    assert!(
        received[1].ends_with("chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        "{}",
        received[1]
    );
}

#[tokio::test]
async fn continue_is_not_taken_for_the_answer() {
    let (endpoint, _server) = serve(vec![vec![
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ]]);
    assert_eq!(
        Connection::new(endpoint)
            .send(&get(Sink::Discard))
            .await
            .unwrap()
            .status,
        201
    );
}
