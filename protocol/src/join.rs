//! The join token: signed, so that an edge needs no database to let a candidate in.

use crate::ids::{InterviewId, SessionId, TenantId};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a join token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinClaims {
    /// The session it opens.
    #[serde(rename = "sub")]
    pub session: SessionId,
    /// Whose session.
    pub tenant: TenantId,
    /// The session's interview.
    pub interview: InterviewId,
    /// The session's partition of the media topics.
    pub partition: u32,
    /// Seconds since 1970 after which nobody may join any more (a session once joined goes on).
    pub exp: i64,
    /// Which issue of the link this is; revoking raises it.
    #[serde(default)]
    pub generation: u32,
}

/// What the join page may say before the join: optional claims beside [`JoinClaims`], so that an edge can greet
/// a candidate by name without a database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct JoinPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether the tenant records those who agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<bool>,
    /// Version of the consent text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_version: Option<String>,
    /// Seconds since 1970 before which the link is too early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<i64>,
}

/// A token's whole content.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    claims: JoinClaims,
    #[serde(flatten)]
    page: JoinPage,
}

/// A token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Not ours, changed, or for another session.
    #[error("join token is not valid")]
    Invalid,
    /// It was good.
    #[error("join token has expired")]
    Expired,
}

/// Signs and checks join tokens (HS256).
#[derive(Clone)]
pub struct JoinKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}
impl fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinKey(..)")
    }
}

impl JoinKey {
    /// From the configured secret.
    pub fn new(secret: &[u8]) -> Self {
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }
    /// Signs.
    pub fn sign(&self, claims: &JoinClaims) -> String {
        self.sign_with_page(claims, &JoinPage::default())
    }
    /// Signs, with what the join page may say.
    pub fn sign_with_page(&self, claims: &JoinClaims, page: &JoinPage) -> String {
        let content = Content { claims: claims.clone(), page: page.clone() };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &content, &self.encoding)
            .expect("an HMAC key signs anything")
    }
    /// Checks signature and names; the caller decides what an expired token may still do
    /// ([`JoinClaims::is_expired`]), because a session once joined outlives its link.
    pub fn verify(&self, token: &str, session: SessionId, tenant: TenantId) -> Result<JoinClaims, JoinError> {
        self.verify_with_page(token, session, tenant).map(|(claims, _)| claims)
    }
    /// Checks like [`JoinKey::verify`], and reads what the join page may say.
    pub fn verify_with_page(
        &self,
        token: &str,
        session: SessionId,
        tenant: TenantId,
    ) -> Result<(JoinClaims, JoinPage), JoinError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let Content { claims, page } =
            jsonwebtoken::decode::<Content>(token, &self.decoding, &validation).map_err(|_| JoinError::Invalid)?.claims;
        if claims.session != session || claims.tenant != tenant {
            return Err(JoinError::Invalid);
        }
        Ok((claims, page))
    }
}

impl JoinClaims {
    /// Whether a first join is too late.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() >= self.exp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_session_is_let_in() {
        let key = JoinKey::new(b"0123456789abcdef0123456789abcdef");
        let claims = JoinClaims {
            session: SessionId::fresh(),
            tenant: TenantId::fresh(),
            interview: InterviewId::fresh(),
            partition: 42,
            exp: 2_000_000_000,
            generation: 0,
        };
        let token = key.sign(&claims);
        assert_eq!(key.verify(&token, claims.session, claims.tenant), Ok(claims.clone()));
        assert_eq!(key.verify(&token, SessionId::fresh(), claims.tenant), Err(JoinError::Invalid));
        assert_eq!(key.verify(&token, claims.session, TenantId::fresh()), Err(JoinError::Invalid));
        assert_eq!(JoinKey::new(b"another").verify(&token, claims.session, claims.tenant), Err(JoinError::Invalid));
        let page = JoinPage { title: Some("Nurse".into()), recording: Some(true), ..JoinPage::default() };
        let greeting = key.sign_with_page(&claims, &page);
        assert_eq!(key.verify_with_page(&greeting, claims.session, claims.tenant), Ok((claims.clone(), page)));
        assert!(claims.is_expired(DateTime::from_timestamp(2_000_000_000, 0).unwrap()));
    }
}
