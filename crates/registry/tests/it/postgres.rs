//! PostgreSQL for tests that run on either engine.

use std::{sync::Arc, time::Duration};

use longshore_store::meta::{Clock, Metadata, SCHEMA, postgres::Options};

/// How tests use a database: by few connections, as there are many tests. Nobody is given up because the machine has much to do, and
/// nobody but a test looks at its clock.
pub(crate) fn options(url: &str) -> Options {
    let roots = rustls::RootCertStore::empty();
    let mut options = Options::url(url, roots, SCHEMA).unwrap();
    (options.readers, options.writers) = (2, 4);
    options.statement_timeout = Duration::from_mins(10);
    options.lock_timeout = Duration::from_mins(10);
    options.watch_every = Duration::from_hours(1);
    options
}

/// Gives a database the schema, and no time: tests bring their own.
pub(crate) fn prepare(url: &str) {
    let mut options = options(url);
    options.clock = Some(Arc::new(Beginning));
    drop(Metadata::postgres(options).unwrap());
}

struct Beginning;

impl Clock for Beginning {
    fn system_millis(&self) -> i64 {
        0
    }
}
