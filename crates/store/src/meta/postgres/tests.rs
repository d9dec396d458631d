//! What only this engine does; what every engine does is in the suite.

mod network;
mod proxy;
mod several;

use longshore_testbed::postgres::Database;
use rustls::RootCertStore;

use super::Options;
use crate::meta::{Metadata, suite};

pub(super) fn options(database: &Database) -> Options {
    let mut options = Options::url(&database.url(), RootCertStore::empty(), suite::SCHEMA).unwrap();
    (options.readers, options.writers) = (3, 8);
    options
}

fn open() -> Metadata {
    let database = Database::empty();
    let store = Metadata::postgres(options(&database)).unwrap();
    // The server drops it in the end.
    std::mem::forget(database);
    store
}

mod every_engine {
    crate::meta::suite::run!(super::open);
}
