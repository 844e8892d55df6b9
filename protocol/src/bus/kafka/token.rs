//! Tokens for OAUTHBEARER, kept fresh beside librdkafka.
//!
//! librdkafka asks for a token in a callback that must not wait, on threads of its own and on the runtime's. So a task
//! fetches tokens ahead of time, and the callback only reads the newest.

use super::settings::KafkaSettings;
use crate::bus::BusError;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use rdkafka::client::OAuthToken;
use std::{sync::Arc, time::Duration};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// How soon a failed fetch is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// What Google wants a Managed Kafka token to be good for.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A token for the brokers.
#[derive(Clone)]
pub struct BearerToken {
    /// What is sent.
    pub value: String,
    /// Whom it names.
    pub principal: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
    /// For how long it is good from now.
    pub lifetime: Duration,
}

/// Where tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that is good now; the error says why there is none, without secrets.
    async fn token(&self) -> Result<BearerToken, String>;
}

/// The newest token.
#[derive(Clone)]
pub(super) struct Tokens(Arc<ArcSwap<BearerToken>>);

impl Tokens {
    pub(super) fn current(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let token = self.0.load();
        Ok(OAuthToken {
            token: token.value.clone(),
            principal_name: token.principal.clone(),
            lifetime_ms: token.expires_at.timestamp_millis(),
        })
    }
}

/// Fetches the first token, then keeps it fresh until `closed`.
pub(super) async fn keep_fresh(settings: &KafkaSettings, closed: CancellationToken) -> Result<Tokens, BusError> {
    let source = match &settings.token_source {
        Some(source) => source.clone(),
        None => Arc::new(GoogleTokens::new(settings.username.clone())?) as Arc<dyn TokenSource>,
    };
    let first = match tokio::time::timeout(settings.request_timeout, source.token()).await {
        Ok(token) => token.map_err(BusError::Auth)?,
        Err(_) => return Err(BusError::Unavailable("the token source does not answer".into())),
    };
    // librdkafka asks again at four fifths of a token's life; a newer one must be there by then.
    let wait = |token: &BearerToken| (token.lifetime / 2).max(Duration::from_millis(500));
    let mut pause = wait(&first);
    let tokens = Tokens(Arc::new(ArcSwap::from_pointee(first)));
    let kept = tokens.clone();
    tokio::spawn(async move {
        while closed.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match source.token().await {
                Ok(token) => {
                    let pause = wait(&token);
                    kept.0.store(Arc::new(token));
                    pause
                }
                Err(reason) => {
                    tracing::error!(reason, "no fresh token for kafka");
                    RETRY
                }
            };
        }
    });
    Ok(tokens)
}

/// Tokens of Google Managed Service for Apache Kafka: an access token of the machine's service account, in the
/// form of a JWT whose signature is that token (as Google's own login handlers make it).
pub struct GoogleTokens {
    principal: String,
    provider: OnceCell<Arc<dyn gcp_auth::TokenProvider>>,
}

impl GoogleTokens {
    /// `principal` is the service account's e-mail address, which Kafka's access lists name.
    pub fn new(principal: Option<String>) -> Result<Self, BusError> {
        let principal = principal.ok_or_else(|| {
            BusError::Invalid("OAUTHBEARER with Google's tokens needs the service account's address as username".into())
        })?;
        Ok(Self { principal, provider: OnceCell::new() })
    }
}

#[async_trait]
impl TokenSource for GoogleTokens {
    async fn token(&self) -> Result<BearerToken, String> {
        let provider = self.provider.get_or_try_init(gcp_auth::provider).await.map_err(|error| error.to_string())?;
        let token = provider.token(&[GOOGLE_SCOPE]).await.map_err(|error| error.to_string())?;
        let expires_at = token.expires_at();
        // The token's life is Google's word about Google's clock; what is left of it by ours is all we can tell.
        let now = crate::clock::Clock::utc(&crate::clock::SystemClock);
        let lifetime = (expires_at - now).to_std().unwrap_or_default();
        Ok(BearerToken {
            value: google_jwt(&self.principal, token.as_str(), now, expires_at),
            principal: self.principal.clone(),
            expires_at,
            lifetime,
        })
    }
}

fn google_jwt(principal: &str, access_token: &str, now: DateTime<Utc>, expires_at: DateTime<Utc>) -> String {
    let header = serde_json::json!({ "typ": "JWT", "alg": "GOOG_OAUTH2_TOKEN" });
    let claims = serde_json::json!({
        "exp": expires_at.timestamp(), "iat": now.timestamp(), "iss": "Google", "scope": "kafka", "sub": principal,
    });
    [header.to_string(), claims.to_string(), access_token.to_owned()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_token_has_three_parts_and_carries_the_access_token() {
        let at = DateTime::UNIX_EPOCH;
        let jwt = google_jwt("a@b.iam.gserviceaccount.com", "ya29.x", at, at + chrono::TimeDelta::hours(1));
        let parts: Vec<Vec<u8>> = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert_eq!(parts.len(), 3);
        let claims: serde_json::Value = serde_json::from_slice(&parts[1]).unwrap();
        assert_eq!(claims["sub"], "a@b.iam.gserviceaccount.com");
        assert_eq!(claims["exp"], 3600);
        assert_eq!(parts[2], b"ya29.x");
    }
}
