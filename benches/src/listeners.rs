//! Live sessions in which nobody speaks, without sockets: rows by hand, joins over the bus, and what edges are told.

use crate::site::complete_interview;
use anyhow::Result;
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage},
    bus::{SharedBus, StartAt},
    clock::SharedClock,
    ids::{ConnectionId, SessionId, TenantId},
    session::Phase,
    topic::{Channel, Topic, partition_of},
    trace::TraceContext,
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::collections::HashSet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Calls back with each message that is meant for candidates from here on.
pub async fn follow(
    bus: &SharedBus,
    stop: CancellationToken,
    mut hear: impl FnMut(AgentMessage) + Send + 'static,
) -> Result<()> {
    let channel = Channel::Main(Topic::AgentSpoken);
    let mut reader = bus.reader(channel).await?;
    for partition in 0..bus.partitions(channel).await? {
        reader.assign(partition, StartAt::Latest).await?;
    }
    tokio::spawn(async move {
        loop {
            let delivery = tokio::select! {
                () = stop.cancelled() => return,
                delivery = reader.next() => delivery,
            };
            let Ok(delivery) = delivery else { return };
            if let Ok(message) = AgentMessage::from_record(&delivery.record) {
                hear(message);
            }
        }
    });
    Ok(())
}

/// How many sessions have said that they listen.
pub async fn count_listening(bus: &SharedBus, stop: CancellationToken) -> Result<watch::Receiver<usize>> {
    let (count, counted) = watch::channel(0);
    let mut listening = HashSet::new();
    follow(bus, stop, move |message| {
        if let AgentBody::State { phase: Phase::Listening, .. } = message.body {
            listening.insert(message.session);
            count.send_replace(listening.len());
        }
    })
    .await?;
    Ok(counted)
}

/// What an edge publishes when a candidate has joined.
pub fn join(tenant: TenantId, session: SessionId, partitions: u32, clock: &SharedClock) -> CandidateMessage {
    CandidateMessage {
        session,
        tenant,
        partition: partition_of(&session.to_string(), partitions),
        connection: ConnectionId::fresh(),
        stream: 1,
        sequence: 0,
        captured_at: clock.utc(),
        trace: Some(TraceContext::fresh()),
        body: CandidateBody::Joined,
    }
}

/// Approved interviews with their plans and sessions, as the gateway leaves them. By the superuser's hand, since no
/// gateway runs here.
pub async fn rows(url: &str, count: usize, partitions: u32) -> Result<(TenantId, Vec<SessionId>)> {
    let mut connection = PgConnection::connect(url).await?;
    let tenant = TenantId::fresh();
    sqlx::query("insert into tenants (tenant_id, name, webhook_secret) values ($1, 'Bench', '')")
        .bind(tenant.0)
        .execute(&mut connection)
        .await?;
    let sessions: Vec<SessionId> = (0..count).map(|_| SessionId::fresh()).collect();
    let ids: Vec<Uuid> = sessions.iter().map(|session| session.0).collect();
    let partition = |session: &SessionId| partition_of(&session.to_string(), partitions) as i32;
    let partitions: Vec<i32> = sessions.iter().map(partition).collect();
    sqlx::query(
        "with new as (
             select id, gen_random_uuid() as interview, partition from unnest($2::uuid[], $3::int[]) as given (id, partition)
         ), interview as (
             insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
             select interview, $1, 'APPROVED', $4, now(), now() from new
         ), plan as (
             insert into plans (tenant_id, interview_id, version, plan, created_at) select $1, interview, 1, $5, now() from new
         ), session as (
             insert into sessions (id, tenant_id, interview_id, partition, plan_version, created_at)
             select id, $1, interview, partition, 1, now() from new
         )
         insert into placements (session_id, tenant_id, interview_id, partition) select id, $1, interview, partition from new",
    )
    .bind(tenant.0)
    .bind(ids)
    .bind(partitions)
    .bind(complete_interview())
    .bind(plan())
    .execute(&mut connection)
    .await?;
    Ok((tenant, sessions))
}

/// A plan of the size that the planner writes for half an hour.
fn plan() -> serde_json::Value {
    let question = |n: usize| {
        json!({
            "id": format!("q{n}"),
            "text": format!("Tell me about time number {n} when a system that you ran did something that you did not expect."),
            "difficulty": "APPLIED",
            "expectedSignals": ["names a concrete failure", "measured before changing anything", "says what it cost"],
            "followUps": ["What exactly failed?", "How did you know that?", "What did it cost you, and was it worth it?"],
            "signalKeywords": [["fail", "broke", "outage"], ["measur", "metric", "profil"], ["cost", "trade", "price"]]
        })
    };
    let section = |n: usize| {
        let questions: Vec<_> = (0..3).map(|q| question(n * 3 + q)).collect();
        json!({ "title": format!("Skill {n}"), "skill": format!("Skill {n}"), "minutes": 7, "questions": questions })
    };
    let level = |score: u32| json!({ "score": score, "shows": "Explains what was done, why, and what came of it, in their own words." });
    let rubric =
        |n: usize| json!({ "skill": format!("Skill {n}"), "mustHave": true, "scale": [level(1), level(3), level(5)] });
    let (sections, rubric): (Vec<_>, Vec<_>) = (0..4).map(|n| (section(n), rubric(n))).unzip();
    json!({ "sections": sections, "rubric": rubric, "warnings": [], "writtenBy": "bench" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixture_reads_as_what_it_is_meant_to_be() {
        let plan: maya_protocol::plan::Plan = serde_json::from_value(plan()).unwrap();
        assert_eq!(plan.questions().count(), 12);
        serde_json::from_value::<maya_protocol::interview::InterviewBrief>(complete_interview()).unwrap();
    }
}
