//! API keys as the command line makes them.

use crate::auth::{NewKey, Role};
use maya_protocol::ids::TenantId;
use maya_store::{Store, StoreError, SystemTx};
use serde::Serialize;
use uuid::Uuid;

/// A new key; `api_key` is shown once.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct CreatedKey {
    pub id: Uuid,
    pub tenant_id: TenantId,
    pub role: Role,
    pub prefix: String,
    pub api_key: String,
}

/// Makes a key for a tenant; [`StoreError::NotFound`] if there is no such tenant.
pub async fn create(store: &Store, tenant: TenantId, name: &str, role: Role) -> Result<CreatedKey, StoreError> {
    let mut tx = store.system().await?;
    sqlx::query_scalar::<_, i32>("select 1 from tenants where tenant_id = $1")
        .bind(tenant.0)
        .fetch_one(tx.conn())
        .await?;
    let (id, key) = insert_with_id(&mut tx, tenant, name, role).await?;
    tx.commit().await?;
    Ok(CreatedKey { id, tenant_id: tenant, role, prefix: key.prefix, api_key: key.key })
}

pub(crate) async fn insert(tx: &mut SystemTx, tenant: TenantId, name: &str, role: Role) -> Result<NewKey, StoreError> {
    Ok(insert_with_id(tx, tenant, name, role).await?.1)
}

async fn insert_with_id(
    tx: &mut SystemTx,
    tenant: TenantId,
    name: &str,
    role: Role,
) -> Result<(Uuid, NewKey), StoreError> {
    let (id, key) = (Uuid::now_v7(), NewKey::generate());
    sqlx::query(
        "insert into api_keys (id, tenant_id, name, prefix, hash, role, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(tenant.0)
    .bind(name)
    .bind(&key.prefix)
    .bind(&key.hash[..])
    .bind(role.as_str())
    .bind(tx.store().clock().utc())
    .execute(tx.conn())
    .await?;
    Ok((id, key))
}
