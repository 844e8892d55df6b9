//! Who may open a socket: decided from the signed token and the registry before any state exists.

use crate::Shared;
use chrono::{DateTime, Utc};
use maya_protocol::{
    ids::{SessionId, TenantId},
    join::{JoinClaims, JoinPage},
    session::{LiveState, Phase},
};
use std::collections::HashMap;

/// A candidate who may come in.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) claims: JoinClaims,
    pub(crate) page: JoinPage,
    /// The session's live state, where it has begun and the registry answers.
    pub(crate) live: Option<LiveState>,
}
impl Admitted {
    /// When the link will be good, where it is not yet and the session has not begun.
    pub(crate) fn opens(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let opens = DateTime::from_timestamp(self.page.opens?, 0)?;
        (now < opens && self.live.is_none()).then_some(opens)
    }
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A query parameter is absent.
    Missing(&'static str),
    /// Absent, not ours, changed, or for another session or tenant: all told alike.
    Invalid,
    /// Taken back.
    Revoked,
    /// Before the interview opens.
    Early,
    /// Too late for a first join.
    Expired,
    /// The link has expired, and whether the session was joined before cannot be known now.
    Unknown,
}

/// Judges a request's query.
pub(crate) async fn admit(shared: &Shared, query: &HashMap<String, String>) -> Result<Admitted, Refusal> {
    let field = |name: &'static str| query.get(name).filter(|value| !value.is_empty());
    let session = field("sessionId").ok_or(Refusal::Missing("sessionId"))?;
    let tenant = field("tenantId").ok_or(Refusal::Missing("tenantId"))?;
    let token = field("token").ok_or(Refusal::Invalid)?;
    let session: SessionId = session.parse().map_err(|_| Refusal::Invalid)?;
    let tenant: TenantId = tenant.parse().map_err(|_| Refusal::Invalid)?;
    let (claims, page) = shared.join_key.verify_with_page(token, session, tenant).map_err(|_| Refusal::Invalid)?;
    match shared.registry.revoked_join(session).await {
        Ok(Some(revoked)) if claims.generation <= revoked => return Err(Refusal::Revoked),
        Ok(_) => {}
        // A candidate with a good signature is let in rather than kept out by a cache that is away.
        Err(error) => tracing::warn!(%error, "could not ask whether a join link was revoked"),
    }
    let live = shared.registry.live(session).await;
    if claims.is_expired(shared.clock.utc()) {
        let (Ok(live), Ok(owner)) = (&live, shared.registry.owner(session).await) else {
            return Err(Refusal::Unknown);
        };
        let joined = live.as_ref().map_or(owner.is_some(), |live| live.phase != Phase::Ended);
        if !joined {
            return Err(Refusal::Expired);
        }
    }
    Ok(Admitted { claims, page, live: live.unwrap_or_default() })
}
