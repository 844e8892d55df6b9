//! A tenant with a session, on a fresh database and a bus of its own.

use maya_protocol::{
    bus::{Bus, SharedBus, TopicSettings, embedded::EmbeddedBus},
    clock,
    ids::{InterviewId, SessionId, TenantId},
};
use maya_store::{Store, StoreSettings, sessions};
use std::time::Duration;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ground {
    /// Of the database.
    pub url: String,
    pub store: Store,
    pub bus: SharedBus,
    pub dir: tempfile::TempDir,
}

pub async fn ground() -> Ground {
    Ground::on(&maya_testkit::postgres().await.fresh_database().await).await
}

impl Ground {
    /// On that database.
    pub async fn on(url: &str) -> Self {
        let store = Store::connect(&StoreSettings::new(url), clock::system()).await.unwrap();
        store.migrate().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let bus = EmbeddedBus::open(&dir.path().join("bus"), TopicSettings::default(), clock::system()).unwrap();
        bus.ensure_topics(true).await.unwrap();
        Self { url: url.to_owned(), store, bus, dir }
    }

    pub async fn tenant(&self, email: Option<&str>) -> TenantId {
        let tenant = TenantId::fresh();
        let mut tx = self.store.system().await.unwrap();
        sqlx::query("insert into tenants (tenant_id, name, email, webhook_secret) values ($1, 'Acme', $2, '')")
            .bind(tenant.0)
            .bind(email)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        tenant
    }

    /// A session and its partition.
    pub async fn session(&self, tenant: TenantId, consent: Option<bool>) -> (SessionId, u32) {
        let interview = InterviewId::fresh();
        let mut tx = self.store.tenant(tenant).await.unwrap();
        sqlx::query(
            "insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
             values ($1, $2, 'IN_PROGRESS', '{}', now(), now())",
        )
        .bind(interview.0)
        .bind(tenant.0)
        .execute(tx.conn())
        .await
        .unwrap();
        let session = sessions::mint(&mut tx, interview, 1, 100).await.unwrap();
        sqlx::query("update sessions set consent = $2 where id = $1")
            .bind(session.id.0)
            .bind(consent.map(|recording| serde_json::json!({ "recording": recording, "textVersion": "1" })))
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (session.id, session.partition)
    }
}
