//! A mail to the tenant's address, once, without the candidate's name: into a folder, and by way of a mail server.

mod mail_server;

use crate::support::{Ground, PATIENCE, ground};
use mail_server::{MailServer, Manner};
use maya_actors::notifier::{Encryption, Mailer, Notifier, NotifierSettings, SmtpSettings};
use maya_protocol::{
    bus::Record,
    event::{Event, InfoNeeded},
    ids::{InterviewId, TenantId},
    interview::{MissingField, Severity},
};
use maya_store::inbox;
use std::{fs, sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

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

fn notify(ground: &Ground, mailer: Mailer) -> DropGuard {
    let settings = NotifierSettings {
        from: "Maya <maya@example.com>".parse().unwrap(),
        gateway: "https://maya.example.com/hiring/".parse().unwrap(),
    };
    let notifier = Arc::new(Notifier::new(ground.store.clone(), mailer, settings));
    let stop = CancellationToken::new();
    tokio::spawn(inbox::run(ground.store.clone(), ground.bus.clone(), notifier, stop.clone()));
    stop.drop_guard()
}

/// That a mail is of this event, and says what is missing and where to go; its head.
fn is_whole(mail: &str, event: &Event) -> String {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    // quoted-printable: a long line is broken softly
    let body = body.replace("=\r\n", "");
    assert!(head.contains("To: hiring@acme.example"), "{head}");
    assert!(head.contains(&format!("Message-ID: <{}@example.com>", event.id)), "{head}");
    let call = format!("PATCH https://maya.example.com/hiring/api/v1/integration/interviews/{}", event.key());
    assert!(body.contains(&call), "{body}");
    assert!(body.contains(&format!("Interview: {}", event.key())) && body.contains("Your id: ats-1"), "{body}");
    assert!(body.contains("candidate.email"));
    head.to_owned()
}

#[tokio::test]
async fn a_person_is_told_once_and_where_to_go() {
    let ground = ground().await;
    let (told, nameless) = (ground.tenant(Some("hiring@acme.example")).await, ground.tenant(None).await);
    let folder = ground.dir.path().join("mail");
    let _notifier = notify(&ground, Mailer::Folder(folder.clone()));
    let (first, last) = (needed(told, "ats-1\r\nBcc: everyone@example.com"), needed(told, "ats-2"));
    for event in [&first, &first, &needed(nameless, "ats-3"), &last] {
        ground.bus.publish(record(event)).await.unwrap();
    }
    let mail = |event: &Event| fs::read_to_string(folder.join(format!("{}.eml", event.id))).ok();
    maya_testkit::eventually(PATIENCE, || async { mail(&first).and(mail(&last)) }).await;
    let head = is_whole(&mail(&first).unwrap(), &first);
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
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
}

/// A notifier and its mail server.
struct Post {
    ground: Ground,
    tenant: TenantId,
    server: MailServer,
    _notifier: DropGuard,
}

impl Post {
    /// Where a mail may take that long.
    async fn within(timeout: Duration) -> Self {
        let (ground, server) = (ground().await, MailServer::start().await);
        let tenant = ground.tenant(Some("hiring@acme.example")).await;
        let (host, port) = ("127.0.0.1".to_owned(), Some(server.port));
        let mailer =
            Mailer::smtp(&SmtpSettings { host, port, credentials: None, encryption: Encryption::Plain, timeout })
                .unwrap();
        let notifier = notify(&ground, mailer);
        Self { ground, tenant, server, _notifier: notifier }
    }

    /// Tells of an interview and waits until that is done with: the event, how often it was tried, and why in vain.
    async fn told(&self, manners: &[Manner]) -> (Event, i32, Option<String>) {
        self.server.will(manners);
        let event = needed(self.tenant, "ats-1");
        self.ground.bus.publish(record(&event)).await.unwrap();
        let (attempts, error) = maya_testkit::eventually(PATIENCE, || async {
            let mut tx = self.ground.store.system().await.unwrap();
            let done = "select attempts, last_error from inbox where event_id = $1 and done_at is not null";
            let query = sqlx::query_as::<_, (i32, Option<String>)>(done).bind(event.id.0);
            query.fetch_optional(tx.conn()).await.unwrap()
        })
        .await;
        (event, attempts, error)
    }
}

#[tokio::test]
async fn a_mail_server_is_given_the_mail_once() {
    let post = Post::within(PATIENCE).await;
    let (event, attempts, error) = post.told(&[Manner::Takes]).await;
    assert_eq!((attempts, error), (1, None));
    let mails = post.server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let head = is_whole(&mails[0], &event);
    assert!(head.contains("Subject: Interview ats-1: information needed"), "{head}");
}

#[tokio::test]
async fn what_a_mail_server_refuses_for_good_is_not_sent_again() {
    let post = Post::within(PATIENCE).await;
    let (_, attempts, error) = post.told(&[Manner::Refuses("550 nobody of that name")]).await;
    let error = error.expect("it says why");
    assert_eq!((attempts, error.contains("550")), (1, true), "{error}");
    assert!(post.server.mails().is_empty());
}

#[tokio::test]
async fn a_mail_server_in_trouble_is_tried_again() {
    let post = Post::within(PATIENCE).await;
    let troubles = [Manner::Refuses("451 the disk is full"), Manner::HangsUp, Manner::Babbles];
    for (before, trouble) in troubles.into_iter().enumerate() {
        let (event, attempts, error) = post.told(&[trouble]).await;
        assert_eq!((attempts, error), (2, None), "{trouble:?}");
        let mails = post.server.mails();
        assert_eq!(mails.len(), before + 1, "{trouble:?}: {mails:?}");
        is_whole(&mails[before], &event);
    }
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_is_given_up_and_tried_again() {
    let post = Post::within(Duration::from_millis(500)).await;
    // an attempt without an end is followed by another when patience with it is over: each is a minute, which is too late here
    let (event, attempts, error) = post.told(&[Manner::Silent, Manner::Silent]).await;
    assert!(attempts >= 3 && error.is_none(), "{attempts} attempts, {error:?}");
    is_whole(post.server.mails().last().expect("a mail"), &event);
}
