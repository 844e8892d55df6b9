//! Tenants: made by the command line, and what each decided for itself.

use crate::{auth::Role, keys, sealed::Sealing};
use base64::{Engine, prelude::BASE64_STANDARD};
use maya_protocol::{ids::TenantId, interview::Severity};
use maya_store::{Store, StoreError};
use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a tenant decided for itself (the column `tenants.settings`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantSettings {
    /// Tightens the completeness of fields, e.g. `{"candidate.resume": "HIGH"}`; what would loosen it is ignored.
    pub completeness: HashMap<String, Severity>,
    /// Calls of one credential per window.
    pub rate_limit: Option<u32>,
}

/// A new tenant, with what is shown once.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its first ADMIN key.
    pub api_key: String,
    /// `whsec_…`, signs what goes to a request's `callbackUrl`.
    pub webhook_secret: String,
}

/// Makes a tenant with its first ADMIN key.
pub async fn create(store: &Store, sealing: &Sealing, name: &str, email: Option<&str>) -> Result<Created, StoreError> {
    let mut secret = [0u8; 32];
    OsRng.try_fill_bytes(&mut secret).map_err(|error| StoreError::Data(format!("no randomness: {error}")))?;
    let webhook_secret = format!("whsec_{}", BASE64_STANDARD.encode(secret));
    let tenant_id = TenantId::fresh();
    let mut tx = store.system().await?;
    sqlx::query("insert into tenants (tenant_id, name, email, webhook_secret, created_at) values ($1, $2, $3, $4, $5)")
        .bind(tenant_id.0)
        .bind(name)
        .bind(email)
        .bind(sealing.seal(&secret))
        .bind(tx.store().clock().utc())
        .execute(tx.conn())
        .await?;
    let key = keys::insert(&mut tx, tenant_id, "first key", Role::Admin).await?;
    tx.commit().await?;
    Ok(Created { tenant_id, api_key: key.key, webhook_secret })
}
