//! What a bare machine is given: parts fetched by name and checksum, and a private PostgreSQL.
//!
//! [`Cache::ensure`] brings a [`Part`] onto this machine through the package managers' own clients;
//! [`PrivatePostgres`] starts the database that serves when no other is configured.

pub mod cache;
pub mod child;
pub mod error;
mod fetch;
mod lock;
pub mod manifest;
pub mod postgres;

pub use cache::{Cache, Missing};
pub use error::FetchError;
pub use manifest::Part;
pub use postgres::PrivatePostgres;
