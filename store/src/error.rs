//! The store's one error.

use maya_protocol::{ids::Epoch, state::InterviewState};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL is away, restarting or out of connections; try again.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions met; try again.
    #[error("the transaction met another one")]
    Conflict(#[source] sqlx::Error),
    /// There is no such row, or it is another tenant's.
    #[error("not found")]
    NotFound,
    /// The row was changed since it was read.
    #[error("version {seen} is not the current one")]
    Stale {
        /// What the caller had read.
        seen: i64,
    },
    /// The state table does not allow this move.
    #[error("an interview in state {from} cannot become {to}")]
    IllegalMove {
        /// Where it stands.
        from: InterviewState,
        /// Where it was to go.
        to: InterviewState,
    },
    /// Another node owns the session now; stop at once.
    #[error("epoch {held} no longer owns the session")]
    Fenced {
        /// The epoch that tried to write.
        held: Epoch,
    },
    /// The login cannot become a role that row-level security binds; refuse to start.
    #[error("{0}")]
    Unsafe(String),
    /// A migration failed.
    #[error("migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not read as what this release knows.
    #[error("stored data does not read: {0}")]
    Data(String),
    /// A mistake in a statement; a defect of ours.
    #[error("statement failed: {0}")]
    Statement(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::Conflict(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::RowNotFound => StoreError::NotFound,
            // a server (or what stands before it) that goes away in the middle of a word answers what is no protocol
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                StoreError::Unavailable(error)
            }
            E::Database(database) => match database.code().as_deref() {
                // serialization failure, deadlock
                Some("40001" | "40P01") => StoreError::Conflict(error),
                // connection exceptions, resources, operator intervention, cannot connect now
                Some(code) if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => {
                    StoreError::Unavailable(error)
                }
                _ => StoreError::Statement(error),
            },
            E::ColumnDecode { .. } | E::Decode(_) => StoreError::Data(error.to_string()),
            _ => StoreError::Statement(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Data(error.to_string())
    }
}
