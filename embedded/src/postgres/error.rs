//! What can go wrong with the private server.

use crate::error::FetchError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The private PostgreSQL could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Its files could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The disk said no.
    #[error("private postgres: {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new database could not be made.
    #[error("private postgres: initdb failed: {0}")]
    Initialise(String),
    /// The server ended at once; the end of its log.
    #[error("private postgres did not start: {0}")]
    Start(String),
    /// The server was started, and answers nobody.
    #[error("private postgres (pid {0}) is not ready after a minute; see server.log in its folder")]
    NotReady(u32),
    /// The server goes on.
    #[error("private postgres (pid {0}) did not stop within 30 s")]
    DoesNotStop(u32),
    /// There is a database, and nobody knows its password.
    #[error("private postgres: {0} is missing although the database is there; put it back from a backup")]
    PasswordLost(PathBuf),
}

/// For `map_err`: an I/O error with its place.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    let path = path.to_owned();
    move |source| PostgresError::Io { path, source }
}
