//! Whatever login is given: queries run as a role that row-level security binds, or nothing runs.

use crate::fixture;
use maya_store::{Store, StoreError, StoreSettings};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

/// Creates a login and returns its URL on that database.
async fn login(url: &str, name: &str, attributes: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement = format!("create role {name} login password 'x' {attributes}");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    let mut url = Url::parse(url).unwrap();
    url.set_username(name).unwrap();
    url.set_password(Some("x")).unwrap();
    url.into()
}

#[tokio::test]
async fn a_login_that_cannot_become_the_roles_is_refused_with_why() {
    let url = maya_testkit::postgres().await.fresh_database().await;
    fixture::connect(&url).await;
    let stranger = login(&url, "stranger", "").await;
    let store = Store::connect(&StoreSettings::new(stranger), fixture::clock()).await.unwrap();
    let refused = store.verify().await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unsafe(why) if why.contains("maya_app")), "{refused}");
}

#[tokio::test]
async fn a_plain_login_that_owns_nothing_works() {
    let url = maya_testkit::postgres().await.fresh_database().await;
    fixture::connect(&url).await;
    let plain = login(&url, "plain", "in role maya_app, maya_system").await;
    let store = Store::connect(&StoreSettings::new(plain), fixture::clock()).await.unwrap();
    store.verify().await.unwrap();
    let tenant = fixture::tenant(&store).await;
    fixture::session(&store, tenant).await;
}

#[tokio::test]
async fn two_processes_may_migrate_at_once() {
    let url = maya_testkit::postgres().await.fresh_database().await;
    tokio::join!(fixture::connect(&url), fixture::connect(&url), fixture::connect(&url));
}

#[tokio::test]
async fn nothing_there_is_unavailable_not_a_panic() {
    let settings = StoreSettings::new("postgres://nobody@127.0.0.1:1/none");
    let refused = Store::connect(&settings, fixture::clock()).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
}
