//! Bearer tokens: RS256, ES256 or EdDSA by a JWKS, HS256 by a secret for development.

use super::{Found, Role};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, JwkSet},
};
use maya_protocol::{clock::SharedClock, ids::TenantId};
use parking_lot::RwLock;
use serde::Deserialize;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long a fetched key set is trusted without another look.
const FRESH: Duration = Duration::from_secs(300);
/// An unknown `kid` makes us look again, but not more often than this.
const PAUSE: Duration = Duration::from_secs(10);

/// How bearer tokens are checked.
#[derive(Clone, Default)]
pub struct JwtSettings {
    /// HS256, for development.
    pub hs256_secret: Option<String>,
    /// Where the public keys are.
    pub jwks_url: Option<url::Url>,
    /// The `iss` that tokens must carry.
    pub issuer: Option<String>,
    /// The `aud` that tokens must carry.
    pub audience: Option<String>,
}
impl fmt::Debug for JwtSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSettings").field("jwks_url", &self.jwks_url).finish_non_exhaustive()
    }
}

/// What a token says.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) tenant: TenantId,
    pub(super) role: Role,
    pub(super) sub: String,
}

/// Checks bearer tokens.
pub struct JwtVerifier {
    settings: JwtSettings,
    clock: SharedClock,
    http: Option<reqwest::Client>,
    keys: RwLock<Option<(Instant, JwkSet)>>,
    fetching: tokio::sync::Mutex<()>,
}

impl JwtVerifier {
    /// `None` where neither a secret nor a key set is configured.
    pub fn new(settings: JwtSettings, clock: SharedClock) -> Option<Self> {
        if settings.hs256_secret.is_none() && settings.jwks_url.is_none() {
            return None;
        }
        let http = settings.jwks_url.as_ref().and_then(|_| {
            // the process's choice, if it made one, stands
            let _ = rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build();
            client.inspect_err(|error| tracing::error!(error = %error, "cannot fetch token keys")).ok()
        });
        Some(Self { settings, clock, http, keys: RwLock::default(), fetching: tokio::sync::Mutex::default() })
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Claims, Found> {
        let refused = Found::Refused("the token is not valid");
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused.clone())?;
        let key = match header.alg {
            Algorithm::HS256 => {
                let secret = self.settings.hs256_secret.as_ref().ok_or(refused.clone())?;
                DecodingKey::from_secret(secret.as_bytes())
            }
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                let jwk = self.public_key(header.kid.as_deref()).await?;
                // a key that names its algorithm is used for no other
                if jwk.common.key_algorithm.is_some_and(|named| named.to_string() != format!("{:?}", header.alg)) {
                    return Err(refused);
                }
                DecodingKey::from_jwk(&jwk).map_err(|_| refused.clone())?
            }
            _ => return Err(refused),
        };
        let mut validation = Validation::new(header.alg);
        validation.set_required_spec_claims(&["exp"]);
        // expiry is compared with our own clock below
        validation.validate_exp = false;
        validation.validate_aud = self.settings.audience.is_some();
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if let Some(audience) = &self.settings.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        #[derive(Deserialize)]
        struct Timed {
            exp: i64,
            #[serde(default)]
            nbf: Option<i64>,
            #[serde(flatten)]
            claims: Claims,
        }
        let timed = jsonwebtoken::decode::<Timed>(token, &key, &validation).map_err(|_| refused)?.claims;
        let now = self.clock.utc().timestamp();
        if timed.exp <= now || timed.nbf.is_some_and(|from| from > now + 60) {
            return Err(Found::Refused("the token has expired or is not valid yet"));
        }
        Ok(timed.claims)
    }

    async fn public_key(&self, kid: Option<&str>) -> Result<Jwk, Found> {
        if let Some(key) = self.cached(kid, FRESH) {
            return Ok(key);
        }
        let url = self.settings.jwks_url.clone().ok_or(Found::Refused("the token is not valid"))?;
        let http = self.http.as_ref().ok_or(Found::Unavailable("the token issuer"))?;
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(key) = self.cached(kid, FRESH) {
            return Ok(key);
        }
        let now = self.clock.now();
        let just_fetched = self.keys.read().as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) < PAUSE);
        if just_fetched {
            return Err(Found::Refused("the token's key is not known"));
        }
        let fetched = async {
            let answer = http.get(url).send().await?.error_for_status()?;
            answer.json::<JwkSet>().await
        };
        match fetched.await {
            Ok(set) => *self.keys.write() = Some((now, set)),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "cannot fetch the token keys");
                // keys that were good stay good while the issuer is away
                return self.cached(kid, Duration::MAX).ok_or(Found::Unavailable("the token issuer"));
            }
        }
        self.cached(kid, FRESH).ok_or(Found::Refused("the token's key is not known"))
    }

    fn cached(&self, kid: Option<&str>, at_most: Duration) -> Option<Jwk> {
        let keys = self.keys.read();
        let (at, set) = keys.as_ref()?;
        if self.clock.now().saturating_duration_since(*at) > at_most {
            return None;
        }
        match kid {
            Some(kid) => set.find(kid).cloned(),
            None if set.keys.len() == 1 => set.keys.first().cloned(),
            None => None,
        }
    }
}
