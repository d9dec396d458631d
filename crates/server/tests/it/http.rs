//! The interface beneath both protocols: addresses, limits, health, the life of a server.

mod backoff;
mod fairness;
mod first_start;
mod floods;
mod health;
mod hosts;
pub(crate) mod http2;
mod keep_alive;
mod limits;
mod shares;
mod shutdown;
mod strangers;
mod streams;
mod tls;
