//! A fresh, migrated database, and rows to put in it.

use chrono::{DateTime, SubsecRound, Utc};
use maya_protocol::{
    clock::{self, SharedClock},
    event::{Command, Event, InfoNeeded, SessionCommand},
    ids::{InterviewId, SessionId, TenantId},
};
use maya_store::{Store, StoreSettings, SystemTx, TenantTx};
use std::time::Duration;
use uuid::Uuid;

/// Longer than anything here takes on a loaded machine.
pub const SOON: Duration = Duration::from_secs(30);

pub async fn store() -> Store {
    connect(&maya_testkit::postgres().await.fresh_database().await).await
}

/// Migrates that database and connects to it.
pub async fn connect(url: &str) -> Store {
    let store = Store::connect(&StoreSettings::new(url), clock()).await.unwrap();
    store.migrate().await.unwrap();
    store.verify().await.unwrap();
    store
}

pub fn clock() -> SharedClock {
    clock::system()
}

/// Now, as exactly as the wire tells it.
pub fn now() -> DateTime<Utc> {
    clock().utc().trunc_subsecs(6)
}

pub async fn tenant(store: &Store) -> TenantId {
    let tenant = TenantId::fresh();
    let mut tx = store.system().await.unwrap();
    sqlx::query("insert into tenants (tenant_id, name, webhook_secret) values ($1, 'Some Company', '\\x00')")
        .bind(tenant.0)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    tenant
}

/// An interview of a tenant, with a session and its placement row.
pub async fn session(store: &Store, tenant: TenantId) -> (InterviewId, SessionId) {
    let interview = InterviewId::fresh();
    let mut tx = store.tenant(tenant).await.unwrap();
    insert_interview(&mut tx, interview).await;
    let session = maya_store::sessions::mint(&mut tx, interview, 1, 100).await.unwrap();
    tx.commit().await.unwrap();
    (interview, session.id)
}

pub async fn insert_interview(tx: &mut TenantTx, interview: InterviewId) {
    let tenant = tx.tenant();
    sqlx::query(
        "insert into interviews (id, tenant_id, state, brief, created_at, updated_at) values ($1, $2, 'PENDING', '{}', now(), now())",
    )
    .bind(interview.0)
    .bind(tenant.0)
    .execute(tx.conn())
    .await
    .unwrap();
}

/// An event of some interview.
pub fn event(tenant: TenantId, interview: InterviewId) -> Event {
    Event::new(tenant, now(), InfoNeeded { interview_id: interview, external_id: None, missing: Vec::new() })
}

/// An event of another topic.
pub fn command(tenant: TenantId, interview: InterviewId) -> Event {
    let session_id = SessionId::fresh();
    Event::new(
        tenant,
        now(),
        SessionCommand { session_id, interview_id: interview, command: Command::Cancel, reason: None },
    )
}

pub async fn count(tx: &mut SystemTx, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(tx.conn()).await.unwrap()
}

pub fn id() -> Uuid {
    Uuid::now_v7()
}
