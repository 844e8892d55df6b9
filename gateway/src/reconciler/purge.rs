//! Removes rows that are spent, a bounded number at a time.

use super::{ReconcilerSettings, before};
use maya_store::{Store, StoreError};

/// Rows of a table in a pass.
const BATCH: i64 = 1_000;

pub(super) async fn purge(store: &Store, settings: &ReconcilerSettings) -> Result<u64, StoreError> {
    let now = store.clock().utc();
    let mut removed = 0;
    for (statement, kept) in [
        (
            "delete from inbox where seq in (select seq from inbox where done_at < $1 order by done_at limit $2)",
            settings.inbox_kept,
        ),
        (
            "delete from outbox where seq in (select seq from outbox where published_at < $1 order by published_at limit $2)",
            settings.outbox_kept,
        ),
        (
            "delete from idempotency_keys where (tenant_id, key) in (
                 select tenant_id, key from idempotency_keys where created_at < $1 limit $2)",
            settings.idempotency_kept,
        ),
    ] {
        let mut tx = store.system().await?;
        let result = sqlx::query(statement).bind(before(now, kept)).bind(BATCH).execute(tx.conn()).await?;
        tx.commit().await?;
        removed += result.rows_affected();
    }
    Ok(removed)
}
