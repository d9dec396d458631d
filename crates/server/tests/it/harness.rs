//! What all tests share: a server, a client that sends exactly what it is told, and images to push.

mod account;
mod client;
mod frames;
mod image;
mod issuer;
mod person;
mod server;
mod signer;
pub(crate) mod storage;

pub(crate) use self::{
    account::{Account, Call, Signer, trust_in},
    client::{Answer, Connection, Request, connect},
    frames::{Frame, Frames},
    image::{Image, digest_of},
    issuer::{Issuer, signed},
    person::{Person, policy, trust},
    server::{MASTER_KEY, TestServer, basic, options, password_of},
    signer::sign,
};
