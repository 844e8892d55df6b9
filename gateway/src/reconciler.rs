//! Moves on what nobody else moves: interviews past their time, work that was never answered, rows that are spent.

mod purge;

use crate::{
    GatewaySettings,
    interviews::{close_tasks, completed_again, validation_requested},
};
use chrono::{DateTime, TimeDelta, Utc};
use maya_protocol::{
    event::{Command, Event, SessionCommand},
    ids::{InterviewId, TenantId},
    state::InterviewState,
    trace::{self, TraceContext},
};
use maya_store::{
    Store, StoreError, TenantTx, sessions,
    workflow::{self, Actor, InterviewRow},
};
use serde_json::json;
use sqlx::Row;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ACTOR: &str = "reconciler";
const ASKED_AGAIN: &str = "interview.asked_again";

/// How patient the reconciler is.
#[derive(Debug, Clone)]
pub struct ReconcilerSettings {
    /// Between two passes.
    pub every: Duration,
    /// Rows of one kind in a pass.
    pub batch: i64,
    /// How long past `expiresAt` a conversation that has begun may still take; three hours cover the longest.
    pub live_grace: Duration,
    /// After how long work that nobody answered counts as stuck.
    pub stuck_after: Duration,
    /// How often stuck work is asked for again before the interview fails.
    pub most_asks: i64,
    /// How long applied events are remembered, which must exceed the bus's retention.
    pub inbox_kept: Duration,
    /// How long published events are kept.
    pub outbox_kept: Duration,
    /// How long the answer to an `Idempotency-Key` is kept.
    pub idempotency_kept: Duration,
}
impl Default for ReconcilerSettings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Self {
            every: Duration::from_secs(15),
            batch: 100,
            live_grace: Duration::from_secs(3 * 3600),
            stuck_after: Duration::from_secs(120),
            most_asks: 3,
            inbox_kept: days(15),
            outbox_kept: days(1),
            idempotency_kept: days(1),
        }
    }
}
impl From<&GatewaySettings> for ReconcilerSettings {
    fn from(settings: &GatewaySettings) -> Self {
        Self { stuck_after: settings.stuck_after, idempotency_kept: settings.idempotency_kept, ..Self::default() }
    }
}

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Interviews that became EXPIRED.
    pub expired: u64,
    /// Ended interviews that became ASSESSING.
    pub assessing: u64,
    /// Stuck work that was asked for again.
    pub asked_again: u64,
    /// Interviews that became FAILED.
    pub failed: u64,
    /// Spent rows that were removed.
    pub purged: u64,
}

/// Any number of processes may run one: every move is made under the interview's row lock.
pub struct Reconciler {
    store: Store,
    settings: ReconcilerSettings,
}

enum Moved {
    Expired,
    Assessing,
    AskedAgain,
    Failed,
    /// Someone else was first.
    Nothing,
}

impl Reconciler {
    /// A reconciler of that database.
    pub fn new(store: Store, settings: ReconcilerSettings) -> Self {
        Self { store, settings }
    }

    /// Passes until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.every) => {}
            }
            match self.pass().await {
                Ok(pass) if pass == Pass::default() => {}
                Ok(pass) => tracing::info!(
                    expired = pass.expired,
                    assessing = pass.assessing,
                    asked_again = pass.asked_again,
                    failed = pass.failed,
                    purged = pass.purged,
                    "reconciled"
                ),
                Err(error) => tracing::warn!(error = %error, "the reconciler waits"),
            }
        }
    }

    /// Looks once at everything, a batch of each kind.
    pub async fn pass(&self) -> Result<Pass, StoreError> {
        let mut pass = Pass::default();
        for (tenant, interview) in self.due().await? {
            // nobody asked: what comes of each is a trace of its own
            match trace::within(TraceContext::fresh(), self.reconcile(tenant, interview)).await {
                Ok(Moved::Expired) => pass.expired += 1,
                Ok(Moved::Assessing) => pass.assessing += 1,
                Ok(Moved::AskedAgain) => pass.asked_again += 1,
                Ok(Moved::Failed) => pass.failed += 1,
                Ok(Moved::Nothing) => {}
                // one bad row stops no other
                Err(error) => tracing::warn!(interview.id = %interview, error = %error, "cannot reconcile"),
            }
        }
        pass.purged = purge::purge(&self.store, &self.settings).await?;
        Ok(pass)
    }

    /// Interviews that may want a move.
    async fn due(&self) -> Result<Vec<(TenantId, InterviewId)>, StoreError> {
        let now = self.store.clock().utc();
        let mut tx = self.store.system().await?;
        let rows = sqlx::query(
            "(select tenant_id, id from interviews
              where deleted_at is null and expires_at <= $1
                and (state in ('RECEIVED', 'INFO_NEEDED', 'VALIDATING_SKILLS', 'PENDING', 'APPROVED')
                     or (state = 'IN_PROGRESS' and expires_at <= $2))
              order by expires_at limit $4)
             union
             (select tenant_id, id from interviews
              where deleted_at is null and updated_at <= $3
                and state in ('VALIDATING_SKILLS', 'COMPLETED', 'ABANDONED', 'ASSESSING')
              order by updated_at limit $4)",
        )
        .bind(now)
        .bind(before(now, self.settings.live_grace))
        .bind(before(now, self.settings.stuck_after))
        .bind(self.settings.batch)
        .fetch_all(tx.conn())
        .await?;
        tx.commit().await?;
        rows.into_iter().map(|row| Ok((TenantId(row.try_get("tenant_id")?), InterviewId(row.try_get("id")?)))).collect()
    }

    async fn reconcile(&self, tenant: TenantId, id: InterviewId) -> Result<Moved, StoreError> {
        use InterviewState as S;
        let now = self.store.clock().utc();
        let mut tx = self.store.tenant(tenant).await?;
        let mut interview = match workflow::lock(&mut tx, id).await {
            Err(StoreError::NotFound) => return Ok(Moved::Nothing),
            found => found?,
        };
        let grace = if interview.state == S::InProgress { self.settings.live_grace } else { Duration::ZERO };
        let is_past = interview.brief.expires_at.is_some_and(|at| at <= before(now, grace));
        let is_stuck = interview.updated_at <= before(now, self.settings.stuck_after);
        let moved = match interview.state {
            S::Received | S::InfoNeeded | S::ValidatingSkills | S::Pending | S::Approved | S::InProgress if is_past => {
                expire(&mut tx, &mut interview, now).await?;
                Moved::Expired
            }
            S::Completed | S::Abandoned if is_stuck => {
                // the assessor has the event; its answer waits for this state
                workflow::transition(&mut tx, &mut interview, S::Assessing, None, &Actor::part(ACTOR)).await?;
                Moved::Assessing
            }
            S::ValidatingSkills | S::Assessing if is_stuck => self.ask_again(&mut tx, &mut interview, now).await?,
            _ => Moved::Nothing,
        };
        tx.commit().await?;
        Ok(moved)
    }

    /// Asks for the work again, or gives it up.
    async fn ask_again(
        &self,
        tx: &mut TenantTx,
        interview: &mut InterviewRow,
        now: DateTime<Utc>,
    ) -> Result<Moved, StoreError> {
        let of = if interview.state == InterviewState::Assessing { "the assessor" } else { "the planner" };
        // counted since the state was entered
        let asks: i64 = sqlx::query_scalar(
            "select count(*) from audit_log where interview_id = $1 and action = $2 and id > (
                 select coalesce(max(id), 0) from audit_log where interview_id = $1 and action = 'interview.moved')",
        )
        .bind(interview.id.0)
        .bind(ASKED_AGAIN)
        .fetch_one(tx.conn())
        .await?;
        if asks >= self.settings.most_asks {
            let reason = format!("{of} did not answer");
            workflow::transition(tx, interview, InterviewState::Failed, Some(&reason), &Actor::part(ACTOR)).await?;
            close_tasks(tx, interview, ACTOR).await?;
            return Ok(Moved::Failed);
        }
        workflow::audit(tx, Some(interview.id), &Actor::part(ACTOR), ASKED_AGAIN, None, json!({ "of": of })).await?;
        // the version stays, so that the answer to either asking is welcome
        sqlx::query("update interviews set updated_at = $2 where id = $1")
            .bind(interview.id.0)
            .bind(now)
            .execute(tx.conn())
            .await?;
        if interview.state == InterviewState::Assessing {
            completed_again(tx, interview).await?;
        } else {
            // of a plan that was rejected: the reason stayed with the state
            let requested = validation_requested(interview, interview.state_reason.clone());
            tx.publish(&Event::new(tx.tenant(), now, requested), None).await?;
        }
        Ok(Moved::AskedAgain)
    }
}

fn before(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).ok().and_then(|by| now.checked_sub_signed(by)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

async fn expire(tx: &mut TenantTx, interview: &mut InterviewRow, now: DateTime<Utc>) -> Result<(), StoreError> {
    let actor = Actor::part(ACTOR);
    workflow::transition(tx, interview, InterviewState::Expired, Some("past expiresAt"), &actor).await?;
    close_tasks(tx, interview, ACTOR).await?;
    if let Some(session) = sessions::of_interview(tx, interview.id).await? {
        let command = SessionCommand {
            session_id: session.id,
            interview_id: interview.id,
            command: Command::Expire,
            reason: Some("past expiresAt".to_owned()),
        };
        tx.publish(&Event::new(tx.tenant(), now, command), Some(session.partition)).await?;
    }
    Ok(())
}
