//! One request over a connection of its own, as a client.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
    /// The answer is longer than anybody wants.
    #[error("the answer is too long")]
    TooLarge,
}

/// Sends `request` and returns the answer, whose body may have up to `limit` bytes.
pub(crate) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Response<Bytes>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ExchangeError::TooLarge
            } else {
                broken(error)
            }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    // The connection ends with its answer, or the answer with its connection.
    let (mut answer, mut connection) = (Box::pin(answer), Box::pin(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended.map_err(broken)?;
            answer.await
        }
    }
}

fn broken(error: impl std::fmt::Display) -> ExchangeError {
    ExchangeError::Broken(error.to_string())
}
