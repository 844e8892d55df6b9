//! A tenant's row is unreachable without that tenant's id, table by table: the list of tables is the catalog's own.

use crate::fixture;
use maya_protocol::ids::{InterviewId, TenantId};
use maya_store::{Store, TenantTx, system};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How to put one row into each table that has a tenant. `$1` is the tenant, `$2` its interview, `$3` its session, `$4` a
/// fresh id, `$5` something unique. A table without a line here makes the test fail.
const ROWS: &[(&str, &str)] = &[
    ("tenants", ""),
    ("users", "insert into users (id, tenant_id, email, role) values ($4, $1, $5, 'VIEWER')"),
    ("api_keys", "insert into api_keys (id, tenant_id, prefix, hash, role) values ($4, $1, 'p', $5::bytea, 'ADMIN')"),
    ("audit_log", "insert into audit_log (tenant_id, at, actor, action) values ($1, now(), 'x', 'y')"),
    (
        "idempotency_keys",
        "insert into idempotency_keys (tenant_id, key, request_hash, status, response) values ($1, $5, '', 201, '{}')",
    ),
    (
        "interviews",
        "insert into interviews (id, tenant_id, state, brief, created_at, updated_at) values ($4, $1, 'PENDING', '{}', now(), now())",
    ),
    (
        "plans",
        "insert into plans (tenant_id, interview_id, version, plan, created_at)
         select $1, $2, coalesce(max(version), 0) + 1, '{}', now() from plans",
    ),
    (
        "tasks",
        "insert into tasks (id, tenant_id, interview_id, kind, state, created_at) values ($4, $1, $2, 'PLAN_REVIEW', 'DONE', now())",
    ),
    (
        "assessments",
        "insert into assessments (tenant_id, interview_id, version, assessment, created_at)
         select $1, $2, coalesce(max(version), 0) + 1, '{}', now() from assessments",
    ),
    (
        "sessions",
        "with i as (insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
                    values ($4, $1, 'PENDING', '{}', now(), now()) returning id)
         insert into sessions (id, tenant_id, interview_id, partition, plan_version, created_at)
         select gen_random_uuid(), $1, id, 0, 1, now() from i",
    ),
    (
        "placements",
        "with i as (insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
                    values ($4, $1, 'PENDING', '{}', now(), now()) returning id),
              s as (insert into sessions (id, tenant_id, interview_id, partition, plan_version, created_at)
                    select gen_random_uuid(), $1, id, 0, 1, now() from i returning id, interview_id)
         insert into placements (session_id, tenant_id, interview_id, partition) select id, $1, interview_id, 0 from s",
    ),
    (
        "turns",
        "insert into turns (tenant_id, session_id, interview_id, turn, speaker, text, started_at, ended_at, context, epoch)
         select $1, $3, $2, coalesce(max(turn), 0) + 1, 'MAYA', 'words', now(), now(), '{}', 1 from turns",
    ),
    (
        "recordings",
        "insert into recordings (id, tenant_id, interview_id, session_id, kind, started_at, ended_at, object, media_type, bytes, sha256, created_at)
         values ($4, $1, $2, $3, 'VIDEO', now(), now(), $5, 'video/webm', 1, '', now())",
    ),
    ("skills", "insert into skills (id, tenant_id, name, created_at) values ($4, $1, $5, now())"),
    (
        "outbox",
        "insert into outbox (tenant_id, event_id, topic, key, headers, payload) values ($1, $4, 'interview.approved', 'k', '{}', '')",
    ),
    ("inbox", ""),
    (
        "webhook_endpoints",
        "insert into webhook_endpoints (id, tenant_id, url, secret, created_at) values ($4, $1, 'https://x.example', '', now())",
    ),
    (
        "webhook_messages",
        "insert into webhook_messages (id, tenant_id, type, body, created_at) values ($4, $1, 't', '{}', now())",
    ),
    (
        "webhook_deliveries",
        "with m as (insert into webhook_messages (id, tenant_id, type, body, created_at)
                    values ($4, $1, 't', '{}', now()) returning id)
         insert into webhook_deliveries (id, tenant_id, message_id, url, created_at)
         select gen_random_uuid(), $1, id, 'https://x.example', now() from m",
    ),
    (
        "webhook_attempts",
        "with m as (insert into webhook_messages (id, tenant_id, type, body, created_at)
                    values ($4, $1, 't', '{}', now()) returning id),
              d as (insert into webhook_deliveries (id, tenant_id, message_id, url, created_at)
                    select gen_random_uuid(), $1, id, 'https://x.example', now() from m returning id)
         insert into webhook_attempts (tenant_id, delivery_id, at, duration_ms) select $1, id, now(), 1 from d",
    ),
];

async fn insert(
    tx: &mut TenantTx,
    sql: &'static str,
    tenant: TenantId,
    (interview, session): (InterviewId, Uuid),
) -> Result<u64, sqlx::Error> {
    let id = fixture::id();
    // every statement names only some of them, and PostgreSQL must know the types of all
    let typed = format!(
        "with typed as (select $1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::text) {}",
        match sql.strip_prefix("with ") {
            Some(rest) => format!(", {rest}"),
            None => sql.to_owned(),
        }
    );
    let query = sqlx::query(AssertSqlSafe(typed)).bind(tenant.0).bind(interview.0).bind(session).bind(id);
    Ok(query.bind(id.to_string()).execute(tx.conn()).await?.rows_affected())
}

/// Every table with a tenant, as the catalog has it.
async fn tables(store: &Store) -> BTreeSet<String> {
    let mut tx = store.system().await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    names.into_iter().collect()
}

/// What a door sees of a table; no right to look counts as nothing.
async fn seen(store: &Store, tenant: TenantId, table: &str) -> i64 {
    let mut tx = store.tenant(tenant).await.unwrap();
    let count = sqlx::query_scalar(AssertSqlSafe(format!("select count(tenant_id) from {table}"))).fetch_one(tx.conn());
    match count.await {
        Ok(count) => count,
        Err(error) if denied(&error) => 0,
        Err(error) => panic!("{table}: {error}"),
    }
}

fn denied(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501"))
}

#[tokio::test]
async fn no_table_shows_a_tenants_row_without_its_id_and_none_takes_a_row_for_another() {
    let store = fixture::store().await;
    let rows: BTreeMap<&str, &'static str> = ROWS.iter().copied().collect();
    let known: BTreeSet<String> = rows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(tables(&store).await, known, "a table with a tenant_id and no row in this test");
    let (mine, other, stranger) = (fixture::tenant(&store).await, fixture::tenant(&store).await, TenantId::fresh());
    let (interview, session) = fixture::session(&store, mine).await;
    let belongs = (interview, session.0);
    let mut sys = store.system().await.unwrap();
    sqlx::query("insert into inbox (consumer, event_id, tenant_id, topic, key, headers, payload) values ('c', $1, $2, 't', 'k', '{}', '')")
        .bind(fixture::id())
        .bind(mine.0)
        .execute(sys.conn())
        .await
        .unwrap();
    sys.commit().await.unwrap();
    for (table, sql) in rows {
        if !sql.is_empty() {
            let mut tx = store.tenant(mine).await.unwrap();
            let inserted = insert(&mut tx, sql, mine, belongs).await.unwrap_or_else(|error| panic!("{table}: {error}"));
            assert_eq!(inserted, 1, "{table}");
            tx.commit().await.unwrap();
            // the same row for another tenant, through this tenant's door
            let mut tx = store.tenant(other).await.unwrap();
            let foreign = insert(&mut tx, sql, mine, belongs).await;
            assert!(foreign.as_ref().is_err_and(denied), "{table} took a row of another tenant: {foreign:?}");
        }
        if table != "outbox" {
            assert!(seen(&store, mine, table).await > 0, "{table}: the tenant sees its own");
        }
        let of_others = if table == "tenants" { 1 } else { 0 };
        assert_eq!(seen(&store, other, table).await, of_others, "{table} shows another tenant's row");
        assert_eq!(seen(&store, stranger, table).await, 0, "{table} shows a row to a tenant that is not there");
        // the door without a tenant's id
        let mut tx = store.tenant(mine).await.unwrap();
        sqlx::query("set local maya.tenant = ''").execute(tx.conn()).await.unwrap();
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("select count(tenant_id) from {table}")))
            .fetch_one(tx.conn())
            .await;
        assert!(
            count.as_ref().is_ok_and(|count| *count == 0) || count.as_ref().is_err_and(denied),
            "{table}: {count:?}"
        );
    }
}

#[tokio::test]
async fn row_level_security_is_forced_on_every_tenant_table_and_binds_every_role_of_ours() {
    let store = fixture::store().await;
    let mut tx = store.system().await.unwrap();
    let free: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(free, Vec::<String>::new());
    let unbound: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolname like 'maya\\_%' and (rolsuper or rolbypassrls or rolcanlogin)",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(unbound, Vec::<String>::new());
}

#[tokio::test]
async fn the_system_role_reaches_the_listed_tables_and_no_word_that_was_said() {
    let store = fixture::store().await;
    let mut tx = store.system().await.unwrap();
    let reached: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and c.relname <> '_sqlx_migrations'
           and has_any_column_privilege('maya_system', c.oid, 'select, insert, update, references') or
               c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege('maya_system', c.oid, 'delete, truncate')
         order by 1",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(reached, system::TABLES);
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = 'interviews'::regclass and attnum > 0 and not attisdropped
           and has_column_privilege('maya_system', attrelid, attnum, 'select') order by 1",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(columns, ["deleted_at", "expires_at", "id", "state", "tenant_id", "updated_at", "version"]);
    for table in ["turns", "plans", "assessments"] {
        assert!(!system::TABLES.contains(&table));
    }
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let store = fixture::store().await;
    let tenant = fixture::tenant(&store).await;
    let mut tx = store.tenant(tenant).await.unwrap();
    sqlx::query("insert into audit_log (tenant_id, at, actor, action) values ($1, now(), 'x', 'y')")
        .bind(tenant.0)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for statement in ["update audit_log set actor = 'z'", "delete from audit_log", "truncate audit_log"] {
        let mut tx = store.tenant(tenant).await.unwrap();
        assert!(sqlx::query(statement).execute(tx.conn()).await.is_err_and(|error| denied(&error)), "{statement}");
        let mut tx = store.system().await.unwrap();
        assert!(sqlx::query(statement).execute(tx.conn()).await.is_err_and(|error| denied(&error)), "{statement}");
    }
}

#[tokio::test]
async fn a_tenants_id_does_not_outlive_its_transaction() {
    let store = fixture::store().await;
    let tenant = fixture::tenant(&store).await;
    for _ in 0..50 {
        let mut tx = store.tenant(tenant).await.unwrap();
        sqlx::query("select 1").execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.system().await.unwrap();
        let row = sqlx::query("select current_user::text as who, current_setting('maya.tenant', true) as tenant")
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>("who"), "maya_system");
        assert_eq!(row.get::<Option<String>, _>("tenant").unwrap_or_default(), "");
    }
}
