//! A mail to the tenant's address, once, without the candidate's name.

use crate::support::{PATIENCE, ground};
use maya_actors::notifier::{Mailer, Notifier, NotifierSettings};
use maya_protocol::{
    bus::Record,
    event::{Event, InfoNeeded},
    ids::{InterviewId, TenantId},
    interview::{MissingField, Severity},
};
use maya_store::inbox;
use std::{fs, sync::Arc};
use tokio_util::sync::CancellationToken;

fn needed(tenant: TenantId, external_id: &str) -> Event {
    let missing = MissingField {
        field: "candidate.email".into(),
        severity: Severity::Critical,
        message: "an address for the join link".into(),
    };
    let at = maya_protocol::clock::system().utc();
    let interview_id = InterviewId::fresh();
    Event::new(tenant, at, InfoNeeded { interview_id, external_id: Some(external_id.into()), missing: vec![missing] })
}

fn record(event: &Event) -> Record {
    Record {
        channel: event.topic().into(),
        key: event.key(),
        partition: None,
        headers: event.headers(),
        payload: event.json(),
    }
}

#[tokio::test]
async fn a_person_is_told_once_and_where_to_go() {
    let ground = ground().await;
    let (told, nameless) = (ground.tenant(Some("hiring@acme.example")).await, ground.tenant(None).await);
    let folder = ground.dir.path().join("mail");
    let settings = NotifierSettings {
        from: "Maya <maya@example.com>".parse().unwrap(),
        gateway: "https://maya.example.com/hiring/".parse().unwrap(),
    };
    let notifier = Arc::new(Notifier::new(ground.store.clone(), Mailer::Folder(folder.clone()), settings));
    let stop = CancellationToken::new();
    tokio::spawn(inbox::run(ground.store.clone(), ground.bus.clone(), notifier, stop.clone()));
    let (first, last) = (needed(told, "ats-1\r\nBcc: everyone@example.com"), needed(told, "ats-2"));
    for event in [&first, &first, &needed(nameless, "ats-3"), &last] {
        ground.bus.publish(record(event)).await.unwrap();
    }
    let mail = |event: &Event| fs::read_to_string(folder.join(format!("{}.eml", event.id))).ok();
    maya_testkit::eventually(PATIENCE, || async { mail(&first).and(mail(&last)) }).await;
    let text = mail(&first).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    // quoted-printable: a long line is broken softly
    let body = body.replace("=\r\n", "");
    assert!(head.contains("To: hiring@acme.example"), "{head}");
    assert!(head.contains(&format!("Message-ID: <{}@example.com>", first.id)), "{head}");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    let call = format!("PATCH https://maya.example.com/hiring/api/v1/integration/interviews/{}", first.key());
    assert!(body.contains(&call), "{body}");
    assert!(body.contains(&format!("Interview: {}", first.key())) && body.contains("Your id: ats-1"), "{body}");
    assert!(body.contains("candidate.email"));
    maya_testkit::eventually(PATIENCE, || async {
        let mut tx = ground.store.system().await.unwrap();
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from inbox where done_at is null or last_error is not null")
                .fetch_one(tx.conn())
                .await
                .unwrap();
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    stop.cancel();
}
