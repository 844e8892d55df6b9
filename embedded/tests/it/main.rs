//! Fetching and the private PostgreSQL, with the real package clients and the real server.

mod fetch;
mod postgres;

use maya_embedded::Cache;
use std::path::Path;

/// The cache that `./maya test` fills.
fn shared_cache() -> Cache {
    match std::env::var_os("MAYA_CACHE_DIR") {
        Some(path) => Cache::at(path),
        None => Cache::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.maya/cache")),
    }
}
