//! `longshore export`, `import` and `migrate`, between real servers.

mod damage;
mod export;
mod hostile;
mod import;
mod migrate;
pub(crate) mod proxy;
mod scene;
mod strangers;
