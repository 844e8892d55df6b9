//! After the storm: waits until nothing moves any more, then takes the evidence.

use super::Shared;
use crate::evidence::{Delivery, Evidence, Hook, Interview, Line, Move, Sent, Taken, Turn};
use sqlx::{PgPool, Row as _};
use std::{fs, io, path::Path, time::Duration};

/// What is still on its way after so long is lost.
const SETTLE: Duration = Duration::from_secs(150);
const LOOK: Duration = Duration::from_millis(500);

/// Waits until every event is applied and every webhook delivered, or for as long as that may take.
pub async fn settle(shared: &Shared) -> anyhow::Result<()> {
    let began = shared.now();
    loop {
        let open: i64 = sqlx::query_scalar(
            "select (select count(*) from outbox where published_at is null)
                  + (select count(*) from inbox where done_at is null)
                  + (select count(*) from webhook_deliveries where state = 'PENDING')
                  + (select count(*) from interviews where state in ('IN_PROGRESS', 'COMPLETED', 'ABANDONED', 'ASSESSING'))",
        )
        .fetch_one(&shared.parts.database)
        .await?;
        if open == 0 || shared.now() - began > SETTLE.as_millis() as u64 {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Takes the evidence.
pub async fn collect(shared: &Shared) -> anyhow::Result<Evidence> {
    let database = &shared.parts.database;
    let mut evidence = Evidence { hooks: hooks(shared), ..events(database).await? };
    let created = shared.interviews.lock().clone();
    for id in created {
        let log = read_log(&shared.folder.join("candidates").join(format!("{id}.jsonl")))?;
        // created in the last moment, and never joined
        if !log.is_empty() {
            evidence.interviews.push(interview(database, id, log).await?);
        }
    }
    Ok(evidence)
}

fn read_log(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn hooks(shared: &Shared) -> Vec<Hook> {
    let text = |body: &serde_json::Value| body.as_str().unwrap_or_default().to_owned();
    let hook = |delivery: maya_testkit::Delivery| Hook {
        message: delivery.id,
        interview: text(&delivery.body["data"]["interviewId"]),
        kind: text(&delivery.body["type"]),
        fault: delivery.fault.map(str::to_owned),
    };
    shared.hooks.all().into_iter().map(hook).collect()
}

async fn interview(database: &PgPool, id: String, log: Vec<Line>) -> anyhow::Result<Interview> {
    let state: String =
        sqlx::query_scalar("select state from interviews where id = $1::uuid").bind(&id).fetch_one(database).await?;
    let moves = sqlx::query(
        "select from_state, to_state from audit_log where interview_id = $1::uuid and to_state is not null order by id",
    )
    .bind(&id)
    .fetch_all(database)
    .await?;
    let moves = moves
        .into_iter()
        .map(|row| Ok(Move { from: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(), to: row.try_get(1)? }))
        .collect::<Result<_, sqlx::Error>>()?;
    let turns = sqlx::query(
        "select turn, speaker, text, coalesce(context->'sentences', '[]') as sentences, epoch
         from turns where interview_id = $1::uuid order by turn",
    )
    .bind(&id)
    .fetch_all(database)
    .await?;
    let turns = turns
        .into_iter()
        .map(|row| {
            Ok(Turn {
                number: row.try_get::<i32, _>("turn")? as u32,
                speaker: row.try_get("speaker")?,
                text: row.try_get("text")?,
                sentences: row.try_get::<sqlx::types::Json<Vec<String>>, _>("sentences")?.0,
                epoch: row.try_get("epoch")?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Interview { id, state, moves, turns, log })
}

async fn events(database: &PgPool) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence::default();
    let sent = "select event_id::text, topic, published_at is not null from outbox order by seq";
    for row in sqlx::query(sent).fetch_all(database).await? {
        let (event, topic, published) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        evidence.sent.push(Sent { event, topic, published });
    }
    let taken = "select consumer, event_id::text, topic, done_at is not null, last_error from inbox order by seq";
    for row in sqlx::query(taken).fetch_all(database).await? {
        let (done, error): (bool, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        evidence.taken.push(Taken {
            consumer: row.try_get(0)?,
            event: row.try_get(1)?,
            topic: row.try_get(2)?,
            done,
            error,
        });
    }
    let delivered = "select m.id::text, m.interview_id::text, m.type, d.state
                     from webhook_deliveries d join webhook_messages m on m.id = d.message_id order by d.created_at";
    for row in sqlx::query(delivered).fetch_all(database).await? {
        let interview: Option<String> = row.try_get(1)?;
        evidence.deliveries.push(Delivery {
            message: row.try_get(0)?,
            interview: interview.unwrap_or_default(),
            kind: row.try_get(2)?,
            state: row.try_get(3)?,
        });
    }
    Ok(evidence)
}
