//! The outbox: an event is committed with the change that it tells of, then relayed in order within its key.

mod relay;

pub use relay::Relay;

use crate::StoreError;
use bytes::Bytes;
use maya_protocol::event::{Event, Headers};
use sqlx::PgConnection;

/// Headers as they are stored: a JSON object of texts, in order of the array. Public for a statement that writes a row
/// of the outbox beside its own.
pub fn headers_to_json(headers: &Headers) -> serde_json::Value {
    let text = |value: &Bytes| serde_json::Value::from(String::from_utf8_lossy(value).into_owned());
    serde_json::Value::Object(headers.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

/// Headers as they are sent.
pub(crate) fn headers_from_json(json: serde_json::Value) -> Headers {
    let serde_json::Value::Object(fields) = json else { return Headers::new() };
    fields.into_iter().map(|(name, value)| (name, Bytes::from(value.as_str().unwrap_or_default().to_owned()))).collect()
}

/// Puts an event into the outbox within the caller's transaction.
pub(crate) async fn push(conn: &mut PgConnection, event: &Event, partition: Option<u32>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into outbox (tenant_id, event_id, topic, key, partition, headers, payload)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.tenant.0)
    .bind(event.id.0)
    .bind(event.topic().name())
    .bind(event.key())
    .bind(partition.map(|partition| partition as i32))
    .bind(headers_to_json(&event.headers()))
    .bind(event.json().as_ref())
    .execute(conn)
    .await?;
    Ok(())
}
