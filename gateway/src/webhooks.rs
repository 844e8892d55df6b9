//! Webhooks: told in the transaction that changed the interview, delivered until the receiver says 2xx.
//!
//! [`enqueue`] writes a message and its deliveries beside the state change; [`Worker`] carries them out, signed as
//! Standard Webhooks are ([`signature`]). Their order is not promised, a `webhook-id` is stable over retries.

pub mod address;
mod api;
mod attempt;
pub mod schedule;
pub mod signature;
mod worker;

pub use address::Reach;
pub use api::router;
pub use worker::{Worker, WorkerSettings};

use chrono::SecondsFormat;
use maya_store::{StoreError, TenantTx, workflow::InterviewRow};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! types {
    ($($(#[$doc:meta])* $variant:ident = $name:tt;)*) => {
        /// What a webhook tells of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum WebhookType { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }
        impl WebhookType {
            /// Every type.
            pub const ALL: &'static [WebhookType] = &[$(WebhookType::$variant,)*];
            /// As it is written.
            pub const fn as_str(self) -> &'static str { match self { $(WebhookType::$variant => $name,)* } }
        }
    };
}
types! {
    /// A person must complete data.
    InfoNeeded = "interview.info_needed";
    /// A plan awaits a person.
    PlanGenerated = "interview.plan_generated";
    /// A person approved the plan.
    Approved = "interview.approved";
    /// The candidate joined.
    Started = "interview.started";
    /// The session ended.
    Completed = "interview.completed";
    /// An assessment awaits a person.
    AssessmentReady = "interview.assessment_ready";
    /// A person approved the verdict.
    AssessmentCompleted = "interview.assessment_completed";
}
impl fmt::Display for WebhookType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
/// No such type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a webhook type")]
pub struct UnknownType;
impl FromStr for WebhookType {
    type Err = UnknownType;
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(UnknownType)
    }
}

/// The type of a test message; no endpoint subscribes to it.
const TEST: &str = "webhook.test";

/// A message's body; serialised once, in this order.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    interview_id: Option<String>,
    external_id: Option<&'a str>,
    state: Option<&'a str>,
}

/// Tells the receivers of an interview, if and when the caller's transaction commits: every enabled endpoint that
/// wants this type, and the brief's `callbackUrl`.
pub async fn enqueue(tx: &mut TenantTx, interview: &InterviewRow, kind: WebhookType) -> Result<(), StoreError> {
    let data = Data {
        interview_id: Some(interview.id.to_string()),
        external_id: interview.brief.external_id.as_deref(),
        state: Some(interview.state.as_str()),
    };
    let message = keep(tx, Some(interview.id.0), kind.as_str(), data).await?;
    sqlx::query(
        "insert into webhook_deliveries (id, tenant_id, message_id, endpoint_id, url, created_at)
         select gen_random_uuid(), $1, $2, id, url, $4 from webhook_endpoints
         where enabled and (types = '{}' or $3 = any(types))
         union all
         select gen_random_uuid(), $1, $2, null, $5, $4 where $5 is not null",
    )
    .bind(tx.tenant().0)
    .bind(message)
    .bind(kind.as_str())
    .bind(tx.store().clock().utc())
    .bind(interview.brief.callback_url.as_deref())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Tells one endpoint that it works; returns the delivery.
async fn enqueue_test(tx: &mut TenantTx, endpoint: Uuid) -> Result<Uuid, StoreError> {
    let message = keep(tx, None, TEST, Data { interview_id: None, external_id: None, state: None }).await?;
    let id = sqlx::query_scalar(
        "insert into webhook_deliveries (id, tenant_id, message_id, endpoint_id, url, created_at)
         select gen_random_uuid(), tenant_id, $2, id, url, $3 from webhook_endpoints where id = $1 returning id",
    )
    .bind(endpoint)
    .bind(message)
    .bind(tx.store().clock().utc())
    .fetch_one(tx.conn())
    .await?;
    Ok(id)
}

/// Keeps a message as the bytes that every attempt sends.
async fn keep(tx: &mut TenantTx, interview: Option<Uuid>, kind: &str, data: Data<'_>) -> Result<Uuid, StoreError> {
    let (id, now) = (Uuid::now_v7(), tx.store().clock().utc());
    let body = Body { r#type: kind, timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true), data };
    sqlx::query(
        "insert into webhook_messages (id, tenant_id, interview_id, type, body, created_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(tx.tenant().0)
    .bind(interview)
    .bind(kind)
    .bind(serde_json::to_string(&body)?)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back_and_the_body_is_the_contracts() {
        for kind in WebhookType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        let data = Data { interview_id: Some("i".into()), external_id: None, state: Some("PENDING") };
        let body = Body { r#type: "interview.approved", timestamp: "T".into(), data };
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"type":"interview.approved","timestamp":"T","data":{"interviewId":"i","externalId":null,"state":"PENDING"}}"#
        );
    }
}
