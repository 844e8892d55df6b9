//! Calling off and removing.

use crate::{events, support::*};
use maya_protocol::{interview::Speaker, registry::Registry};
use serde_json::{Value, json};

async fn outbox(api: &Api, topic: &str) -> Vec<(Value, Option<i32>)> {
    let rows: Vec<(Vec<u8>, Option<i32>)> = sqlx::query_as("select payload, partition from outbox where topic = $1")
        .bind(topic)
        .fetch_all(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    rows.into_iter().map(|(payload, partition)| (serde_json::from_slice(&payload).unwrap(), partition)).collect()
}

#[tokio::test]
async fn any_live_interview_can_be_called_off_and_its_session_is_told() {
    let api = Api::start().await;
    let early = api.post(INTERVIEWS, json!({})).await.expect(201).id();
    let cancelled =
        api.post(&format!("{INTERVIEWS}/{early}/cancel"), json!({"reason": "hired already"})).await.expect(200);
    assert_eq!(
        (&cancelled.body["state"], &cancelled.body["stateReason"]),
        (&json!("CANCELLED"), &json!("hired already"))
    );
    let tasks = api.get("/api/v1/tasks?state=OPEN").await;
    assert_eq!(tasks.body["items"], json!([]));
    let again = api.act(&format!("{INTERVIEWS}/{early}/cancel")).await.expect(409);
    assert_eq!(again.body["state"], "CANCELLED");

    let (id, session) = api.approved().await;
    api.act(&format!("{INTERVIEWS}/{id}/cancel")).await.expect(200);
    let told = outbox(&api, "interview.session.command").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0["command"]["kind"], "CANCEL");
    assert!(told[0].1.is_some(), "a session's partition is named");
    assert_eq!(api.registry.revoked_join(session).await.unwrap(), Some(0));
    api.act(&format!("{INTERVIEWS}/{id}/session")).await.expect(409);
    let live = api.get(&format!("{INTERVIEWS}/{id}/session")).await.expect(200);
    assert_eq!((&live.body["state"], &live.body["phase"]), (&json!("CANCELLED"), &json!("ENDED")));
    // a late end does not bring it back
    api.tell(events::ended(&api, &id, session, maya_protocol::session::Outcome::Completed)).await;
    maya_testkit::eventually(PATIENCE, || async {
        let open: i64 = sqlx::query_scalar("select count(*) from inbox where done_at is null")
            .fetch_one(api.store.system().await.unwrap().conn())
            .await
            .unwrap();
        (open == 0).then_some(())
    })
    .await;
    assert_eq!(api.get(&format!("{INTERVIEWS}/{id}")).await.body["state"], "CANCELLED");
}

#[tokio::test]
async fn a_removed_interview_leaves_its_audit_and_nothing_of_the_person() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    api.say(session, &[(Speaker::Maya, "Hello Ada."), (Speaker::Candidate, "Hello.")]).await;
    // a turn was relayed already; the brief waits in another consumer's inbox
    let mut tx = api.store.system().await.unwrap();
    for statement in [
        "update outbox set published_at = now() where topic = 'interview.turn.recorded'",
        "insert into inbox (consumer, event_id, tenant_id, topic, key, headers, payload)
         select 'planner', event_id, tenant_id, topic, key, headers, payload from outbox
         where topic = 'skill.validation.requested'",
    ] {
        assert!(sqlx::query(statement).execute(tx.conn()).await.unwrap().rows_affected() > 0, "{statement}");
    }
    tx.commit().await.unwrap();
    let words = async || {
        let texts: Vec<String> = sqlx::query_scalar(
            "select topic || ' ' || convert_from(payload, 'utf8') from outbox
             union all select topic || ' ' || convert_from(payload, 'utf8') from inbox",
        )
        .fetch_all(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
        texts.into_iter().filter(|text| text.contains("Ada") || text.contains("ada@")).collect::<Vec<_>>()
    };
    assert!(words().await.len() >= 3, "there is something to be forgotten");
    api.call("DELETE", &format!("{INTERVIEWS}/{id}"), &[("if-match", "\"1\"")], None).await.expect(412);
    api.call("DELETE", &format!("{INTERVIEWS}/{id}"), &[], None).await.expect(204);
    for path in ["", "/plan", "/session", "/transcript", "/assessment"] {
        api.get(&format!("{INTERVIEWS}/{id}{path}")).await.expect(404);
    }
    api.call("DELETE", &format!("{INTERVIEWS}/{id}"), &[], None).await.expect(404);
    assert_eq!(api.get(INTERVIEWS).await.body["items"], json!([]));
    let audit = api.get(&format!("{INTERVIEWS}/{id}/events")).await.expect(200);
    let last = audit.body["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["action"], "interview.deleted");

    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    for table in ["interviews", "plans", "turns", "assessments", "sessions", "tasks", "idempotency_keys", "audit_log"] {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select t::text from {table} t")))
            .fetch_all(tx.conn())
            .await
            .unwrap();
        for row in rows {
            assert!(!row.contains("Ada") && !row.contains("ada@"), "{table}: {row}");
        }
    }
    drop(tx);
    assert_eq!(words().await, Vec::<String>::new());
    let waiting: i64 = sqlx::query_scalar("select count(*) from inbox where done_at is null")
        .fetch_one(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(waiting, 0, "nothing of the person is worked on any more");
    // whoever owns the session is fenced off
    let state: String = sqlx::query_scalar("select state from placements")
        .fetch_one(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(state, "ENDED");
    assert_eq!(outbox(&api, "interview.session.command").await.len(), 1);
}
