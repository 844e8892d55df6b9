//! One private PostgreSQL a test process; one new database a test.

use crate::{
    link::Link,
    workspace::{self, Scratch},
};
use maya_embedded::{Part, PrivatePostgres, postgres::Options};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Mutex, OnceCell};

/// A private PostgreSQL with pgvector. Not durable, otherwise as a user has it.
pub struct Postgres {
    server: PrivatePostgres,
    number: AtomicU32,
    /// `create database` copies the template, which two cannot do at once.
    creating: Mutex<()>,
    _data: Scratch,
}

/// The test process's PostgreSQL.
pub async fn postgres() -> &'static Postgres {
    static SHARED: OnceCell<Postgres> = OnceCell::const_new();
    SHARED.get_or_init(Postgres::start).await
}

impl Postgres {
    /// One of its own, for a test that stops it.
    pub async fn start() -> Self {
        workspace::part(Part::Postgres);
        let data = Scratch::new();
        let options = Options { durable: false, dies_with_us: true, max_connections: 400 };
        let server = PrivatePostgres::start_with(&workspace::cache(), data.path(), options).await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        Self { server, number: AtomicU32::new(0), creating: Mutex::new(()), _data: data }
    }

    /// The superuser's URL, on the database `postgres`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// A link to the server, and the URL of a database by way of it.
    pub async fn linked(&self, url: &str) -> (Link, String) {
        let (before, after) = url.split_once("127.0.0.1:").expect("it listens on loopback");
        let (port, database) = after.split_once('/').expect("a URL names a database");
        let link = Link::to(([127, 0, 0, 1], port.parse().expect("a port is a number")).into()).await;
        let url = format!("{before}{}/{database}", link.address());
        (link, url)
    }

    /// A new, empty database, and the superuser's URL on it.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", self.number.fetch_add(1, Ordering::Relaxed));
        let _creating = self.creating.lock().await;
        let mut connection = PgConnection::connect(self.url()).await.expect("the server takes connections");
        // by file copy: the template is small, and nothing of it goes through the log
        let statement = format!("create database {name} template template0 strategy file_copy");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a new database");
        let (server, _) = self.url().rsplit_once('/').expect("a URL names a database");
        format!("{server}/{name}")
    }
}
