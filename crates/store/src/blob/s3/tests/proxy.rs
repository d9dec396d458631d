//! A proxy before an S3 server that does what networks and servers do.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered with a refusal and goes no further.
    Refuse(u16, &'static str),
    /// It is done and answered with a refusal.
    RefuseAfter(u16, &'static str),
    /// Its connection ends and it goes no further.
    CutBefore,
    /// It is done and its connection ends.
    CutAfter,
    /// It is done and its answer ends half way.
    CutAnswer,
    /// It is done and its answer takes so long that nobody waits.
    StallAfter,
    /// A byte of its body changes on the way.
    SpoilRequest,
    /// A byte of its answer changes on the way.
    SpoilAnswer,
    /// Its answer holds half of the range and says that the object ends there.
    ShortenAnswer,
}

/// Longer than tests wait.
const STALL: Duration = Duration::from_secs(3);

type Plan = Box<dyn FnMut(usize, &Request<Incoming>) -> Option<Fault> + Send>;

/// A running proxy.
pub(super) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    server: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    /// How many requests there were.
    seen: Mutex<(usize, Plan)>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server,
            client: Client::builder(TokioExecutor::new()).build_http(),
            seen: Mutex::new((0, Box::new(|_, _| None))),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| handle(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // It ends in an error when a fault says so.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Counts from 0 again, and asks the plan about each request.
    pub(super) fn plan(
        &self,
        plan: impl FnMut(usize, &Request<Incoming>) -> Option<Fault> + Send + 'static,
    ) {
        *self.state.seen.lock().unwrap() = (0, Box::new(plan));
    }

    pub(super) fn seen(&self) -> usize {
        self.state.seen.lock().unwrap().0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, io::Error> {
    let fault = {
        let mut seen = state.seen.lock().unwrap();
        let number = seen.0;
        seen.0 += 1;
        (seen.1)(number, &request)
    };
    let cut = || io::Error::other("cut");
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let body = match fault {
        Some(Fault::CutBefore) => return Err(cut()),
        Some(Fault::Refuse(status, code)) => return Ok(refusal(status, code)),
        Some(Fault::SpoilRequest) => spoilt(&body),
        _ => body,
    };
    let path = head.uri.path_and_query().unwrap().as_str();
    head.uri = format!("http://{}{path}", state.server).parse().unwrap();
    let request = Request::from_parts(head, Full::new(body));
    let answered = state.client.request(request).await;
    let (mut head, body) = answered.map_err(io::Error::other)?.into_parts();
    // The answer to HEAD tells a length and has no body.
    let whole = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match fault {
        Some(Fault::CutAfter) => return Err(cut()),
        Some(Fault::RefuseAfter(status, code)) => return Ok(refusal(status, code)),
        Some(Fault::StallAfter) => tokio::time::sleep(STALL).await,
        _ => {}
    }
    let body = match fault {
        Some(Fault::CutAnswer) if whole.is_empty() => return Err(cut()),
        Some(Fault::CutAnswer) => Answer::Cut(whole.slice(..whole.len() / 2), whole.len()),
        Some(Fault::SpoilAnswer) => Answer::Whole(Full::new(spoilt(&whole))),
        Some(Fault::ShortenAnswer) => Answer::Whole(Full::new(shortened(&mut head, &whole))),
        _ => Answer::Whole(Full::new(whole)),
    };
    Ok(Response::from_parts(head, body))
}

fn spoilt(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

fn shortened(head: &mut Parts, whole: &Bytes) -> Bytes {
    let half = whole.slice(..whole.len() / 2);
    let range = head.headers.get("content-range").unwrap().to_str().unwrap();
    let first = range.strip_prefix("bytes ").unwrap().split('-').next();
    let first: usize = first.unwrap().parse().unwrap();
    let end = first + half.len();
    let range = format!("bytes {first}-{}/{end}", end - 1);
    head.headers.insert("content-range", range.parse().unwrap());
    head.headers.insert("content-length", half.len().into());
    half
}

fn refusal(status: u16, code: &str) -> Response<Answer> {
    let body = format!("<Error><Code>{code}</Code><Message>a fault</Message></Error>");
    let answer = Response::builder().status(status);
    let body = Answer::Whole(Full::new(body.into()));
    answer.body(body).unwrap()
}

/// What the proxy answers.
enum Answer {
    Whole(Full<Bytes>),
    /// These bytes, and then nothing more of that many.
    Cut(Bytes, usize),
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(full) => Pin::new(full)
                .poll_frame(cx)
                .map_err(|never: Infallible| match never {}),
            Self::Cut(bytes, _) if bytes.is_empty() => {
                Poll::Ready(Some(Err(io::Error::other("cut"))))
            }
            Self::Cut(bytes, _) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Cut(_, length) => SizeHint::with_exact(*length as u64),
        }
    }
}
