//! What every request shares.

use std::{net::SocketAddr, sync::Arc};

use longshore_registry::Core;

use crate::{
    aws::{Signatures, parts::PartMemory},
    backoff::BackOff,
    body::BodyLimits,
    host::{Hosts, proxy::TrustedProxies},
    metrics::Metrics,
    reply::AnswerMemory,
};

/// The server, as its handlers see it.
#[derive(Debug)]
pub struct App {
    /// The product.
    pub core: Arc<Core>,
    /// How hosts are told apart.
    pub hosts: Hosts,
    /// Where the listener really listens.
    pub address: SocketAddr,
    /// How clients without a proxy reach it: `http` or `https`.
    pub scheme: &'static str,
    /// Whether private hosts invite anonymous callers.
    pub anonymous_challenge: bool,
    /// Who is believed about scheme, host and client.
    pub proxies: TrustedProxies,
    /// What bodies may take.
    pub bodies: BodyLimits,
    /// Memory for answers on their way out.
    pub answers: AnswerMemory,
    /// What is counted.
    pub metrics: Metrics,
    /// Who failed to authenticate of late.
    pub(crate) backoff: BackOff,
    /// Signing keys lately used.
    pub signatures: Signatures,
    /// Memory for layer parts on their way in.
    pub parts: PartMemory,
}
