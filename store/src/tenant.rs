//! The only door to tenant data: a transaction that has the tenant's id set and is bound by row-level security.

use crate::{Store, StoreError, outbox};
use maya_protocol::{event::Event, ids::TenantId};
use sqlx::{PgConnection, Postgres, Transaction};

/// A transaction within one tenant's rows. Dropped without [`TenantTx::commit`], it is rolled back.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
    store: Store,
    has_events: bool,
}

impl TenantTx {
    pub(crate) fn new(tx: Transaction<'static, Postgres>, tenant: TenantId, store: Store) -> Self {
        Self { tx, tenant, store, has_events: false }
    }
    /// Whose rows.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
    /// The store it came from.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// The connection, for statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
    /// Puts an event into the outbox: it is published if, and only if, this transaction commits.
    pub async fn publish(&mut self, event: &Event, partition: Option<u32>) -> Result<(), StoreError> {
        debug_assert_eq!(event.tenant, self.tenant, "an event of another tenant");
        outbox::push(&mut self.tx, event, partition).await?;
        self.has_events = true;
        Ok(())
    }
    /// Tells the relay, after the commit, that a statement of the caller's own put an event into the outbox.
    pub fn wakes_relay(&mut self) {
        self.has_events = true;
    }
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        if self.has_events {
            self.store.outbox_wake().notify_one();
        }
        Ok(())
    }
}
