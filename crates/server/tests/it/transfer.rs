//! `longshore export`, `import` and `migrate`, between real servers.

mod export;
mod hostile;
mod import;
mod migrate;
mod proxy;
mod scene;
