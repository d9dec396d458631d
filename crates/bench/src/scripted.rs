//! A server for tests that answers from a script and notes what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::{self, JoinHandle};

use crate::client::Endpoint;

/// A server on its own thread; joining gives the requests.
pub(crate) type Script = JoinHandle<Vec<String>>;

/// Serves each connection its scripted answers; `{here}` in an answer becomes the server's own address.
pub(crate) fn serve(connections: Vec<Vec<String>>) -> (Rc<Endpoint>, Script) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let endpoint = Rc::new(Endpoint::resolve(&here, false).unwrap());
    let server = thread::spawn(move || {
        let mut requests = Vec::new();
        for answers in connections {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                requests.push(read(&mut stream));
                stream
                    .write_all(answer.replace("{here}", &here).as_bytes())
                    .unwrap();
            }
        }
        requests
    });
    (endpoint, server)
}

/// Builds an answer with these header lines and body.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one request of a few bytes, which the client sends in one write.
fn read(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 8192];
    let size = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..size]).into_owned()
}
