//! The JSON API over HTTP: what all operations have in common.

mod protocol;
mod pull_time;
mod upload_layer_part;
