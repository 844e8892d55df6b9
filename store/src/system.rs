//! The door to what precedes the tenant: placements, outbox, inbox, due deliveries, expiry, credentials.

use crate::{Store, StoreError};
use sqlx::{PgConnection, Postgres, Transaction};

/// Every table that `maya_system` can reach; no transcript, plan or assessment is among them. A test compares this
/// list with the database's grants.
pub const TABLES: &[&str] = &[
    "api_keys",
    "catalogue_skills",
    "idempotency_keys",
    "inbox",
    // ids, states and times only: the columns are granted one by one
    "interviews",
    "outbox",
    "placements",
    // ids and reasons of what happened to actors
    "supervision_events",
    "tenants",
    "webhook_deliveries",
];

/// A transaction as `maya_system`. Dropped without [`SystemTx::commit`], it is rolled back.
pub struct SystemTx {
    tx: Transaction<'static, Postgres>,
    store: Store,
}

impl SystemTx {
    pub(crate) fn new(tx: Transaction<'static, Postgres>, store: Store) -> Self {
        Self { tx, store }
    }
    /// The store it came from.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// The connection, for statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}
