//! The listener for Prometheus, apart from the one for clients.

use std::{convert::Infallible, time::Duration};

use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, time::sleep};

use super::Metrics;
use crate::reply::{self, Reply};

/// Serves `/metrics` for ever.
pub(crate) async fn run(socket: TcpListener, metrics: Metrics) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let answer = service_fn(async |request| {
                        Ok::<_, Infallible>(answer(&metrics, &request).await)
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), answer);
                    // A scrape that breaks off concerns nobody.
                    let _ = connection.await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no metrics connection can be accepted for now");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(metrics: &Metrics, request: &Request<Incoming>) -> Reply {
    if request.uri().path() != "/metrics" {
        return reply::empty(StatusCode::NOT_FOUND);
    }
    match metrics.to_text().await {
        Ok(text) => reply::bytes(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        ),
        Err(_) => reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
