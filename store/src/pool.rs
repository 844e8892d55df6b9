//! The pool, and what must be true of a login before anything is served.

use crate::{StoreError, SystemTx, TenantTx};
use maya_protocol::{clock::SharedClock, ids::TenantId};
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, SqlSafeStr, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};
use tokio::sync::Notify;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The longest round trip to a database that is there.
const ROUND_TRIP: Duration = Duration::from_secs(5);

/// How to reach PostgreSQL.
#[derive(Clone)]
pub struct StoreSettings {
    /// `postgres://…`; holds a password, so it is never printed.
    pub url: String,
    /// Most connections of this process.
    pub max_connections: u32,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
}
impl StoreSettings {
    /// The defaults for that database.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 24, acquire_timeout: Duration::from_secs(5) }
    }
}
impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSettings").field("max_connections", &self.max_connections).finish_non_exhaustive()
    }
}

/// The database, shared by the parts of a process.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    clock: SharedClock,
    begin_timeout: Duration,
    outbox: Arc<Notify>,
}
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store(..)")
    }
}

impl Store {
    /// Connects; [`StoreError::Unavailable`] where nothing answers.
    pub async fn connect(settings: &StoreSettings, clock: SharedClock) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(&settings.url)?.application_name("maya");
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let begin_timeout = settings.acquire_timeout + ROUND_TRIP;
        Ok(Self { pool, clock, begin_timeout, outbox: Arc::new(Notify::new()) })
    }

    /// Applies the migrations that are missing; waits for another process that does the same.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(MIGRATIONS.run(&self.pool).await?)
    }

    /// Refuses a database in which row-level security would not bind us, saying why.
    pub async fn verify(&self) -> Result<(), StoreError> {
        for role in ["maya_app", "maya_system"] {
            let mut tx = self.pool.begin().await?;
            let became = sqlx::query(AssertSqlSafe(format!("set local role {role}"))).execute(&mut *tx).await;
            if let Err(error) = became {
                return Err(StoreError::Unsafe(format!(
                    "the database login cannot become the role {role} ({error}); grant it, or let maya create it: \
                     without it queries would run past row-level security"
                )));
            }
            let bound: bool =
                sqlx::query_scalar("select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user")
                    .fetch_one(&mut *tx)
                    .await?;
            if !bound {
                return Err(StoreError::Unsafe(format!(
                    "the role {role} can bypass row-level security; remove that attribute"
                )));
            }
        }
        Ok(())
    }

    /// Whether the database answers now.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Opens the door to one tenant's data.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        // one round trip; a uuid's text cannot break out of the quotes
        let begin = format!("begin; set local role maya_app; set local maya.tenant = '{tenant}'");
        let tx = self.begin(AssertSqlSafe(begin)).await?;
        Ok(TenantTx::new(tx, tenant, self.clone()))
    }

    /// Opens the door to what precedes the tenant.
    pub async fn system(&self) -> Result<SystemTx, StoreError> {
        let tx = self.begin("begin; set local role maya_system").await?;
        Ok(SystemTx::new(tx, self.clone()))
    }

    /// A kept connection may lead to a server that is gone without a word: TCP would wait for it for a quarter of an hour.
    async fn begin(&self, statement: impl SqlSafeStr) -> Result<Transaction<'static, Postgres>, StoreError> {
        let begun = tokio::time::timeout(self.begin_timeout, self.pool.begin_with(statement)).await;
        Ok(begun.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// The process's clock.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Is told when this process committed something for the outbox.
    pub fn outbox_wake(&self) -> &Notify {
        &self.outbox
    }

    /// Closes all connections, those in use when they are given back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
