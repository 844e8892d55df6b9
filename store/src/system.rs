//! The door to what precedes the tenant: placements, outbox, inbox, due deliveries, expiry, credentials.

use crate::{Store, StoreError};
use maya_protocol::{ids::TenantId, topic::Topic};
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

/// Topics whose events tell of a person: their data, their words, or what was found of them.
const PERSONAL: &[Topic] = &[
    Topic::InfoNeeded,
    Topic::SkillValidationRequested,
    Topic::PlanCreated,
    Topic::AssessmentReady,
    Topic::AssessmentCompleted,
    Topic::TurnRecorded,
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
    /// Takes the person out of the events with these keys (an interview's id, its session's): what waits to be relayed
    /// goes, what was relayed is emptied, what waits to be worked on is emptied and done. Commands to the session, and
    /// what tells of its end, stay.
    pub async fn forget(&mut self, tenant: TenantId, keys: &[String]) -> Result<(), StoreError> {
        let personal: Vec<String> = PERSONAL.iter().map(|topic| topic.name().to_owned()).collect();
        for statement in [
            "delete from outbox where tenant_id = $1 and key = any($2) and topic = any($3) and published_at is null",
            "update outbox set payload = '{}' where tenant_id = $1 and key = any($2) and topic = any($3)
                 and published_at is not null",
            // who holds a row's lock empties it as well, and may be waiting for the caller; who works on one without a
            // lock will find it done
            "update inbox set done_at = now(), payload = '', last_error = null where seq in (
                 select seq from inbox where tenant_id = $1 and key = any($2) and topic = any($3) and done_at is null
                 for update skip locked
             )",
        ] {
            sqlx::query(statement).bind(tenant.0).bind(keys).bind(&personal).execute(self.conn()).await?;
        }
        Ok(())
    }
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}
