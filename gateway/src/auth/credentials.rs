//! API keys, and the short memory of credentials that keeps the hot path away from the database.

use super::{Found, JwtVerifier, Principal, Role};
use crate::tenants::TenantSettings;
use dashmap::DashMap;
use maya_protocol::{clock::SharedClock, ids::TenantId};
use maya_store::{Store, StoreError};
use rand::{RngCore, TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};
use sqlx::{Row, types::Json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;

/// What every API key begins with.
pub const KEY_PREFIX: &str = "maya_";
/// Credentials remembered at most; over it, all are forgotten (they are found again).
const MOST_REMEMBERED: usize = 10_000;

/// A freshly made API key: shown once, kept as its hash.
pub struct NewKey {
    /// The whole key, `maya_<prefix>_<secret>`.
    pub key: String,
    /// The part that may be shown.
    pub prefix: String,
    /// What is kept.
    pub hash: [u8; 32],
}
impl NewKey {
    /// 256 bits of the system's randomness.
    pub fn generate() -> Self {
        let mut bytes = [0u8; 38];
        OsRng.unwrap_err().fill_bytes(&mut bytes);
        let (prefix, secret) = (hex::encode(&bytes[..6]), hex::encode(&bytes[6..]));
        Self { key: format!("{KEY_PREFIX}{prefix}_{secret}"), hash: Sha256::digest(&secret).into(), prefix }
    }
}

/// Splits `maya_<prefix>_<secret>`.
fn parts(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(KEY_PREFIX)?.split_once('_').filter(|(prefix, secret)| !prefix.is_empty() && secret.len() >= 32)
}

/// Turns credentials into principals.
pub struct Credentials {
    store: Store,
    clock: SharedClock,
    jwt: Option<JwtVerifier>,
    remember: Duration,
    known: DashMap<[u8; 32], (Instant, Principal)>,
}

impl Credentials {
    /// Remembers what it found for `remember`: a revoked key works no longer than that.
    pub fn new(store: Store, clock: SharedClock, jwt: Option<JwtVerifier>, remember: Duration) -> Self {
        Self { store, clock, jwt, remember, known: DashMap::new() }
    }

    /// The principal of an API key.
    pub(super) async fn by_key(&self, key: &str) -> Found {
        let Some((prefix, secret)) = parts(key) else { return Found::Refused("the API key is not valid") };
        self.remembered(Sha256::digest(key).into(), async || self.look_up(prefix, secret).await).await
    }

    /// The principal of a bearer token.
    pub(super) async fn by_token(&self, token: &str) -> Found {
        let Some(jwt) = &self.jwt else { return Found::Refused("bearer tokens are not configured; use X-API-Key") };
        self.remembered(Sha256::digest(token).into(), async || {
            let claims = match jwt.verify(token).await {
                Ok(claims) => claims,
                Err(why) => return Ok(Err(why)),
            };
            let mut tx = self.store.system().await?;
            let settings: Option<Json<TenantSettings>> =
                sqlx::query_scalar("select settings from tenants where tenant_id = $1")
                    .bind(claims.tenant.0)
                    .fetch_optional(tx.conn())
                    .await?;
            tx.commit().await?;
            let Some(Json(settings)) = settings else {
                return Ok(Err(Found::Refused("the token names no tenant of ours")));
            };
            Ok(Ok(Principal {
                tenant: claims.tenant,
                role: claims.role,
                name: format!("user:{}", claims.sub),
                scopes: Vec::new(),
                settings: Arc::new(settings),
            }))
        })
        .await
    }

    async fn remembered(
        &self,
        digest: [u8; 32],
        find: impl AsyncFnOnce() -> Result<Result<Principal, Found>, StoreError>,
    ) -> Found {
        let now = self.clock.now();
        if let Some(known) = self.known.get(&digest)
            && now.saturating_duration_since(known.0) < self.remember
        {
            return Found::Known(known.1.clone());
        }
        match find().await {
            Ok(Ok(principal)) => {
                if self.known.len() >= MOST_REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(digest, (now, principal.clone()));
                Found::Known(principal)
            }
            Ok(Err(found)) => {
                self.known.remove(&digest);
                found
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot look a credential up");
                Found::Unavailable("the database")
            }
        }
    }

    async fn look_up(&self, prefix: &str, secret: &str) -> Result<Result<Principal, Found>, StoreError> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let mut tx = self.store.system().await?;
        let row = sqlx::query(
            "select k.tenant_id, k.prefix, k.hash, k.role, k.scopes, k.expires_at, k.revoked_at, t.settings
             from api_keys k join tenants t using (tenant_id) where k.hash = $1",
        )
        .bind(&hash[..])
        .fetch_optional(tx.conn())
        .await?;
        tx.commit().await?;
        let refused = Ok(Err(Found::Refused("the API key is not valid")));
        let Some(row) = row else { return refused };
        let (kept_prefix, kept_hash): (String, Vec<u8>) = (row.try_get("prefix")?, row.try_get("hash")?);
        let same = kept_prefix.as_bytes().ct_eq(prefix.as_bytes()) & kept_hash.ct_eq(&hash);
        if !bool::from(same) || row.try_get::<Option<chrono::DateTime<chrono::Utc>>, _>("revoked_at")?.is_some() {
            return refused;
        }
        let expires: Option<chrono::DateTime<chrono::Utc>> = row.try_get("expires_at")?;
        if expires.is_some_and(|at| at <= self.clock.utc()) {
            return Ok(Err(Found::Refused("the API key has expired")));
        }
        let role: Role = row.try_get::<&str, _>("role")?.parse().map_err(|_| StoreError::Data("role".to_owned()))?;
        Ok(Ok(Principal {
            tenant: TenantId(row.try_get("tenant_id")?),
            role,
            name: format!("key:{kept_prefix}"),
            scopes: row.try_get("scopes")?,
            settings: Arc::new(row.try_get::<Json<TenantSettings>, _>("settings")?.0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_splits_into_what_is_shown_and_what_is_hashed() {
        let new = NewKey::generate();
        let (prefix, secret) = parts(&new.key).unwrap();
        assert_eq!(prefix, new.prefix);
        assert_eq!(<[u8; 32]>::from(Sha256::digest(secret)), new.hash);
        for wrong in ["", "maya_", "maya_abc", "maya__00", "other_abc_0123456789abcdef0123456789abcdef"] {
            assert!(parts(wrong).is_none(), "{wrong}");
        }
    }
}
