//! What ends an interview from outside while it is live, and the operator's commands with their exit codes.

use crate::harness::*;
use serde_json::json;
use sqlx::Connection as _;

#[tokio::test]
async fn a_live_interview_is_called_off_and_another_expires() {
    let site = Site::quick().await;
    let maya = site.serve("").await;
    let (_, rest) = site.customer(&maya).await;

    let cancelled = rest.create(&short_interview()).await;
    let mut body = short_interview();
    body["expiresAt"] = json!("2099-12-31T00:00:00Z");
    let expired = rest.create(&body).await;

    for (interview, state) in [(&cancelled, "CANCELLED"), (&expired, "EXPIRED")] {
        let link = interview.approved().await;
        let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
        let mut conversation = Conversation::new(&["I have worked with Rust for six years."]);
        conversation.is_quiet = true;
        assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");
        if state == "CANCELLED" {
            let answer = interview.post("/cancel", json!({ "reason": "the position is filled" })).await;
            answer.expect(200);
        } else {
            long_past(&site, interview).await;
        }
        assert!(conversation.talk(&mut socket, |so_far| so_far.close.is_some()).await, "{conversation:?}");
        assert_eq!((conversation.state.as_str(), conversation.close), ("ENDED", Some(1000)), "{conversation:?}");
        assert_eq!(conversation.reason.as_deref(), Some(state));
        let live = interview.get("/session").await;
        assert_eq!((&live["phase"], &live["remainingSeconds"]), (&json!("ENDED"), &json!(0)));
        assert_eq!(interview.answers().await, ["I have worked with Rust for six years."], "what was said is kept");
        let state_now = maya_testkit::eventually(DEADLINE, async || {
            let now = interview.get("").await["state"].as_str().unwrap().to_owned();
            (now == state).then_some(now)
        });
        state_now.await;
        let refusal = interview.post("/session", json!({})).await.expect(409);
        assert_eq!(refusal["state"], state);
        // not assessed
        assert_eq!(rest.get(&interview.path("/assessment")).await.status, 404);
    }
}

/// Makes an interview one that should have begun yesterday: a live one has hours of grace, which no test can wait for.
async fn long_past(site: &Site, interview: &Interview) {
    let mut connection = sqlx::PgConnection::connect(site.database()).await.expect("the database answers");
    let id: uuid::Uuid = interview.id.parse().expect("an id is a UUID");
    let changed = sqlx::query(
        "update interviews set expires_at = now() - interval '1 day',
             brief = jsonb_set(brief, '{expiresAt}', '\"2026-01-01T00:00:00Z\"')
         where id = $1",
    );
    assert_eq!(changed.bind(id).execute(&mut connection).await.expect("an update").rows_affected(), 1);
}

#[tokio::test]
async fn the_operators_commands_say_by_their_exit_code_how_it_went() {
    let site = Site::quick().await;
    let code = async |site: &Site, args: &[&str]| {
        let output = site.run(args).await;
        let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), shown)
    };
    for args in
        [&["migrate"][..], &["migrate"], &["topics", "--create"], &["topics"], &["config", "check"], &["openapi"]]
    {
        let (status, shown) = code(&site, args).await;
        assert_eq!(status, Some(0), "maya {args:?}: {shown}");
    }
    for args in
        [&["serve", "--roles", "gateway,edgy"][..], &["dance"], &["candidate"], &["key", "create", "--tenant", "x"]]
    {
        let (status, shown) = code(&site, args).await;
        assert_eq!(status, Some(2), "maya {args:?}: {shown}");
    }

    let mut wrong = Site::quick().await;
    wrong.set("MAYA_KAFKA__BROKER", "b:1");
    wrong.set("MAYA_GATEWAY__LISTEN", "nowhere");
    wrong.set("MAYA_LIMITS__MAX_SOCKETS", "many");
    for args in [&["config", "check"][..], &["serve"], &["migrate"]] {
        let (status, shown) = code(&wrong, args).await;
        assert_eq!(status, Some(2), "maya {args:?}: {shown}");
        for key in ["MAYA_KAFKA__BROKER", "MAYA_GATEWAY__LISTEN", "MAYA_LIMITS__MAX_SOCKETS"] {
            assert!(shown.contains(key), "all errors at once, and {key} is one: {shown}");
        }
    }

    let mut away = Site::quick().await;
    away.set("MAYA_DATABASE__URL", "postgres://nobody@127.0.0.1:1/nothing");
    let (status, shown) = code(&away, &["migrate"]).await;
    assert_eq!(status, Some(1), "{shown}");
    let nowhere = format!("http://127.0.0.1:1/join?sessionId={0}&tenantId={0}&token=a", uuid::Uuid::nil());
    let (status, shown) = code(&site, &["candidate", "--join", &nowhere]).await;
    assert_eq!(status, Some(1), "{shown}");
}
