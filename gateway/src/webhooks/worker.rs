//! Carries deliveries out: any number of processes, each row leased to one, a slow receiver only its own.

use super::{
    address::Reach,
    attempt::{Attempt, Outcome, Sender},
    schedule::Schedule,
    signature::Secret,
};
use crate::sealed::Sealing;
use maya_protocol::ids::TenantId;
use maya_store::{Store, StoreError};
use parking_lot::Mutex;
use sqlx::Row;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// How the worker works.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Which receivers are allowed.
    pub reach: Reach,
    /// The pauses between attempts.
    pub schedule: Schedule,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// Attempts of this process at a time.
    pub parallel: usize,
    /// Of them, to one URL.
    pub parallel_per_receiver: usize,
    /// Of them, of one tenant.
    pub parallel_per_tenant: usize,
    /// How long an idle worker waits before it looks again.
    pub poll: Duration,
}
impl WorkerSettings {
    /// For the open network.
    pub fn production() -> Self {
        Self {
            reach: Reach::Public,
            schedule: Schedule::production(),
            timeout: Duration::from_secs(15),
            parallel: 64,
            parallel_per_receiver: 4,
            parallel_per_tenant: 16,
            poll: Duration::from_millis(250),
        }
    }
    /// For one machine, where a receiver may be on loopback.
    pub fn development() -> Self {
        Self { reach: Reach::Loopback, schedule: Schedule::development(), ..Self::production() }
    }
    /// After this an attempt that nobody settled counts as lost.
    fn lease(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(15)
    }
}

/// Delivers until told to stop.
pub struct Worker {
    store: Store,
    sealing: Sealing,
    settings: WorkerSettings,
    sender: Sender,
    under_way: Mutex<UnderWay>,
}

/// Attempts of this process, by receiver and by tenant.
#[derive(Default)]
struct UnderWay {
    receivers: HashMap<String, usize>,
    tenants: HashMap<Uuid, usize>,
}

struct Claimed {
    id: Uuid,
    tenant: TenantId,
    url: String,
    attempt: i32,
}

/// What to send, or why there is nothing to be sent.
enum Content {
    Ready { message: Uuid, body: String, secrets: Vec<Secret> },
    Disabled,
}

impl Worker {
    /// A worker; fails where no TLS client can be made on this machine.
    pub fn new(store: Store, sealing: Sealing, settings: WorkerSettings) -> Result<Self, reqwest::Error> {
        let sender = Sender::new(settings.reach, settings.timeout)?;
        Ok(Self { store, sealing, settings, sender, under_way: Mutex::default() })
    }

    /// Delivers until told to stop, then finishes what is under way.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let room = Arc::new(Semaphore::new(this.settings.parallel));
        let tasks = TaskTracker::new();
        while !stop.is_cancelled() {
            let claimed = match room.available_permits() {
                0 => Vec::new(),
                free => this.claim(free).await.unwrap_or_else(|error| {
                    tracing::warn!(error = %error, "cannot look for due webhooks");
                    Vec::new()
                }),
            };
            let idle = claimed.is_empty();
            for one in claimed {
                let permit = room.clone().try_acquire_owned().expect("only this loop takes permits");
                let this = this.clone();
                tasks.spawn(async move {
                    if let Err(error) = this.deliver(&one).await {
                        // its lease runs out and another attempt settles it
                        tracing::warn!(webhook.delivery = %one.id, error = %error, "cannot settle a webhook");
                    }
                    this.under_way.lock().leave(&one);
                    drop(permit);
                });
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(this.settings.poll) => {}
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Claims up to `free` due deliveries, passing over receivers and tenants that have all they may have.
    async fn claim(&self, free: usize) -> Result<Vec<Claimed>, StoreError> {
        let (receivers, tenants) = {
            let under_way = self.under_way.lock();
            (counts(&under_way.receivers), counts(&under_way.tenants))
        };
        let mut tx = self.store.system().await?;
        let rows = sqlx::query(
            "with due as (
                 select id, url, tenant_id, next_attempt_at,
                        row_number() over (partition by url order by next_attempt_at, id) as of_receiver
                 from webhook_deliveries where state = 'PENDING' and next_attempt_at <= now()
             ), fair as (
                 -- a receiver's share first: what waits for a slow one uses up no place of its tenant's
                 select due.*, row_number() over (partition by tenant_id order by next_attempt_at, id) as of_tenant
                 from due left join unnest($1::text[], $2::bigint[]) receiver (name, busy) on receiver.name = due.url
                 where of_receiver + coalesce(receiver.busy, 0) <= $5
             ), chosen as (
                 select d.id from webhook_deliveries d join fair using (id)
                 left join unnest($3::uuid[], $4::bigint[]) tenant (name, busy) on tenant.name = fair.tenant_id
                 where of_tenant + coalesce(tenant.busy, 0) <= $6
                   and d.state = 'PENDING' and d.next_attempt_at <= now()
                 order by fair.next_attempt_at limit $7 for update of d skip locked
             )
             update webhook_deliveries
             set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $8)
             where id in (select id from chosen)
             returning id, tenant_id, url, attempts",
        )
        .bind(receivers.0)
        .bind(receivers.1)
        .bind(tenants.0)
        .bind(tenants.1)
        .bind(self.settings.parallel_per_receiver as i64)
        .bind(self.settings.parallel_per_tenant as i64)
        .bind(free as i64)
        .bind(self.settings.lease().as_secs_f64())
        .fetch_all(tx.conn())
        .await?;
        tx.commit().await?;
        let claimed = rows
            .into_iter()
            .map(|row| {
                Ok(Claimed {
                    id: row.try_get("id")?,
                    tenant: TenantId(row.try_get("tenant_id")?),
                    url: row.try_get("url")?,
                    attempt: row.try_get("attempts")?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut under_way = self.under_way.lock();
        claimed.iter().for_each(|one| under_way.enter(one));
        Ok(claimed)
    }

    async fn deliver(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let content = self.content(claimed).await?;
        let clock = self.store.clock();
        let (began, now) = (clock.now(), clock.utc());
        let outcome = match content {
            Content::Disabled => Outcome::Disabled,
            Content::Ready { message, body, secrets } => {
                let attempt = Attempt { url: &claimed.url, message: message.to_string(), secrets: &secrets, body };
                self.sender.send(attempt, now).await
            }
        };
        self.settle(claimed, &outcome, clock.now().saturating_duration_since(began)).await
    }

    /// Reads what is sent and what signs it.
    async fn content(&self, claimed: &Claimed) -> Result<Content, StoreError> {
        let mut tx = self.store.tenant(claimed.tenant).await?;
        let row = sqlx::query(
            "select m.id, m.body, d.endpoint_id is null or e.enabled as wanted,
                    coalesce(e.secret, t.webhook_secret) as secret,
                    case when e.previous_secret_until > now() then e.previous_secret end as previous
             from webhook_deliveries d join webhook_messages m on m.id = d.message_id
             join tenants t on t.tenant_id = d.tenant_id left join webhook_endpoints e on e.id = d.endpoint_id
             where d.id = $1",
        )
        .bind(claimed.id)
        .fetch_one(tx.conn())
        .await?;
        tx.commit().await?;
        if !row.try_get::<bool, _>("wanted")? {
            return Ok(Content::Disabled);
        }
        let sealed = [Some(row.try_get::<Vec<u8>, _>("secret")?), row.try_get("previous")?];
        let secrets = sealed
            .into_iter()
            .flatten()
            .map(|sealed| {
                let opened = self.sealing.open(&sealed).map_err(|error| StoreError::Data(error.to_string()))?;
                Ok(Secret::from_bytes(opened))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Content::Ready { message: row.try_get("id")?, body: row.try_get("body")?, secrets })
    }

    /// Records an attempt and decides how the delivery goes on, unless a later attempt has taken it over.
    async fn settle(&self, claimed: &Claimed, outcome: &Outcome, took: Duration) -> Result<(), StoreError> {
        let pause = match outcome {
            Outcome::Failed { retry_after, .. } => {
                self.settings.schedule.pause(claimed.attempt.max(0) as u32, *retry_after, rand::random())
            }
            _ => None,
        };
        let state = match (outcome, pause) {
            (Outcome::Delivered(_), _) => "DELIVERED",
            (_, Some(_)) => "PENDING",
            (_, None) => "FAILED",
        };
        metrics::counter!("maya_webhook_attempts_total", "outcome" => state).increment(1);
        let now = self.store.clock().utc();
        let mut tx = self.store.tenant(claimed.tenant).await?;
        sqlx::query(
            "insert into webhook_attempts (tenant_id, delivery_id, at, status, error, duration_ms)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(claimed.tenant.0)
        .bind(claimed.id)
        .bind(now)
        .bind(outcome.status().map(|status| i32::from(status.as_u16())))
        .bind(outcome.error())
        .bind(took.as_millis() as i64)
        .execute(tx.conn())
        .await?;
        sqlx::query(
            "update webhook_deliveries
             set state = $3, next_attempt_at = now() + make_interval(secs => $4),
                 delivered_at = case when $3 = 'DELIVERED' then $5 end
             where id = $1 and attempts = $2 and state = 'PENDING'",
        )
        .bind(claimed.id)
        .bind(claimed.attempt)
        .bind(state)
        .bind(pause.unwrap_or_default().as_secs_f64())
        .bind(now)
        .execute(tx.conn())
        .await?;
        if *outcome == Outcome::Gone {
            sqlx::query(
                "update webhook_endpoints e set enabled = false, disabled_reason = 'its receiver answered 410 Gone'
                 from webhook_deliveries d where d.id = $1 and e.id = d.endpoint_id",
            )
            .bind(claimed.id)
            .execute(tx.conn())
            .await?;
        }
        tx.commit().await
    }
}

/// Who has how many, as two columns.
fn counts<K: Clone>(counts: &HashMap<K, usize>) -> (Vec<K>, Vec<i64>) {
    counts.iter().map(|(key, count)| (key.clone(), *count as i64)).unzip()
}

impl UnderWay {
    fn enter(&mut self, one: &Claimed) {
        *self.receivers.entry(one.url.clone()).or_default() += 1;
        *self.tenants.entry(one.tenant.0).or_default() += 1;
    }
    fn leave(&mut self, one: &Claimed) {
        fn less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        less(&mut self.receivers, &one.url);
        less(&mut self.tenants, &one.tenant.0);
    }
}
