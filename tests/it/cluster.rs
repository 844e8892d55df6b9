//! Each role a process of its own, two of each that talk, over a real Kafka (SASL_SSL, SCRAM), Redis and PostgreSQL.

use crate::harness::*;
use serde_json::json;
use tokio::sync::{Mutex, OnceCell};

const LINES: [&str; 4] = [
    "I have been a backend engineer for six years.",
    "The borrow checker refused a cache that I shared.",
    "I added an index on the account column.",
    "I rehearse a migration on a copy first.",
];
const AGENTS: [&str; 4] = ["planner", "assessor", "notifier", "recorder"];
const REPLIES: &str = "maya_edge_forwarded_total";

/// The processes. They end with the test process.
struct Cluster {
    site: Site,
    gateway: Maya,
    agents: Vec<Maya>,
    interviewers: Vec<Maya>,
    edges: Vec<Maya>,
}

/// One cluster for all tests, one test at a time: topics and node records are the cluster's own.
async fn cluster() -> &'static Mutex<Cluster> {
    static SHARED: OnceCell<Mutex<Cluster>> = OnceCell::const_new();
    SHARED.get_or_init(async || Mutex::new(Cluster::start().await)).await
}

impl Cluster {
    async fn start() -> Self {
        let (kafka, redis) = tokio::join!(maya_testkit::kafka(), maya_testkit::redis());
        let mut site = Site::quick().await;
        site.set("MAYA_KAFKA__BROKERS", &kafka.sasl_ssl);
        site.set("MAYA_KAFKA__SECURITY_PROTOCOL", "SASL_SSL");
        site.set("MAYA_KAFKA__SASL_MECHANISM", "SCRAM-SHA-512");
        site.set("MAYA_KAFKA__SASL_USERNAME", &kafka.username);
        site.set("MAYA_KAFKA__SASL_PASSWORD", &kafka.password);
        site.set("MAYA_KAFKA__CA_FILE", kafka.ca_file.display());
        site.set("MAYA_REDIS__URL", redis.url());
        site.set("MAYA_JOIN__KEY", "a join key of thirty-two bytes...");
        site.set("MAYA_BUS__MEDIA_PARTITIONS", 8);
        // the first process migrates and makes the topics, as a deployment's job does
        for command in [&["migrate"][..], &["topics", "--create"]] {
            let output = site.run(command).await;
            assert!(output.status.success(), "maya {command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        site.set("MAYA_STARTUP__MIGRATE", false);
        site.set("MAYA_STARTUP__CREATE_TOPICS", false);
        let edges = vec![site.serve("edge").await, site.serve("edge").await];
        site.set("MAYA_EDGE__PUBLIC_URL", edges[0].url("edge"));
        let interviewers = vec![site.serve("interviewer").await, site.serve("interviewer").await];
        let agents = futures::future::join_all(AGENTS.map(|role| site.serve(role)));
        let (gateway, agents) = tokio::join!(site.serve("gateway"), agents);
        Self { site, gateway, agents, interviewers, edges }
    }

    /// The same link through an edge of our choice, as a load balancer would lead it.
    fn through(&self, edge: usize, link: &str) -> String {
        link.replacen(&self.edges[0].url("edge"), &self.edges[edge].url("edge"), 1)
    }

    /// A process started now takes an old one's place, which is told to stop and does.
    async fn roll(site: &Site, roles: &str, old: &mut Maya) {
        let old = std::mem::replace(old, site.serve(roles).await);
        assert!(old.terminate().await.success(), "{roles}");
    }

    async fn roll_agents(site: &Site, agents: &mut [Maya]) {
        for (role, agent) in AGENTS.iter().zip(agents) {
            Self::roll(site, role, agent).await;
        }
    }

    /// All but the first edge, whose address is in the links.
    async fn roll_all(&mut self) {
        let Self { site, gateway, agents, interviewers, edges } = self;
        Self::roll(site, "edge", &mut edges[1]).await;
        for interviewer in interviewers {
            Self::roll(site, "interviewer", interviewer).await;
        }
        Self::roll_agents(site, agents).await;
        Self::roll(site, "gateway", gateway).await;
    }

    async fn forwarded(&self) -> f64 {
        self.edges[0].metric("edge", REPLIES).await + self.edges[1].metric("edge", REPLIES).await
    }
}

/// Talks to the end on one connection.
async fn to_the_end(conversation: &mut Conversation, socket: &mut Socket) {
    assert!(conversation.talk(socket, |so_far| so_far.close.is_some()).await, "{conversation:?}");
    assert_eq!((conversation.state.as_str(), conversation.close), ("ENDED", Some(1000)), "{conversation:?}");
    assert_eq!(conversation.reason.as_deref(), Some("COMPLETED"), "{conversation:?}");
}

#[tokio::test]
async fn two_interviews_at_once_each_through_its_own_edge_and_one_changes_edges() {
    let cluster = cluster().await.lock().await;
    let (tenant, rest) = cluster.site.customer(&cluster.gateway).await;
    let receiver = Receiver::start(&tenant.webhook_secret).await;
    let mut body = one_skill();
    body["callbackUrl"] = json!(receiver.url);
    let (first, second) = tokio::join!(rest.create(&body), rest.create(&body));
    let (link, other) = tokio::join!(first.approved(), second.approved());
    let before = cluster.forwarded().await;

    let moving = async {
        let mut conversation = Conversation::new(&LINES);
        let mut socket = Socket::open(&cluster.through(0, &link.join_url)).await.expect("the link is good");
        assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 2).await, "{conversation:?}");
        // a session's words are read by one edge: so on one of the two they cross
        let mut next = Socket::open(&cluster.through(1, &link.join_url)).await.expect("the link is good there too");
        let mut replaced = Conversation::default();
        assert!(replaced.talk(&mut socket, |so_far| so_far.close.is_some()).await, "{replaced:?}");
        assert_eq!(replaced.close, Some(4001), "a newer socket took over: {replaced:?}");
        to_the_end(&mut conversation, &mut next).await;
        conversation
    };
    let staying = Candidate::new(&cluster.through(1, &other.join_url)).speak(&LINES).hold(&cluster.site);
    let (conversation, report) = tokio::join!(moving, staying);

    assert_eq!(report["reason"], "COMPLETED", "{report}");
    for interview in [&first, &second] {
        interview.until("ASSESSMENT_READY").await;
        interview.post("/assessment/approve", json!({})).await.expect(200);
        interview.until("ASSESSMENT_COMPLETED").await;
        let deliveries = receiver.until(&interview.id, &WEBHOOKS).await;
        assert!(deliveries.iter().all(|delivery| delivery.fault.is_none()), "signed, each: {deliveries:?}");
        assert_eq!(deliveries.len(), WEBHOOKS.len(), "each once: {deliveries:?}");
    }
    assert_eq!(conversation.said[..4], LINES);
    assert_eq!(first.answers().await, conversation.said, "{conversation:?}");
    assert_eq!(second.answers().await[..4], LINES, "{report}");
    assert!(cluster.forwarded().await > before, "a sentence came to one edge and went on to the other");
}

#[tokio::test]
async fn a_rolling_restart_of_the_interviewers_keeps_an_interview_going() {
    let mut cluster = cluster().await.lock().await;
    let (_, rest) = cluster.site.customer(&cluster.gateway).await;
    let interview = rest.create(&one_skill()).await;
    let link = interview.approved().await;
    let mut conversation = Conversation::new(&LINES);
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    let Cluster { site, interviewers, .. } = &mut *cluster;
    for (round, interviewer) in (1..).zip(interviewers) {
        assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == round).await, "{conversation:?}");
        // whichever of them the session lives on, it moves once or twice
        Cluster::roll(site, "interviewer", interviewer).await;
    }
    to_the_end(&mut conversation, &mut socket).await;
    assert_eq!(interview.answers().await, conversation.said, "each word once: {conversation:?}");
    assert_eq!(conversation.said[..4], LINES);
    assert!(conversation.errors.is_empty(), "{conversation:?}");
    interview.until("ASSESSMENT_READY").await;
}

#[tokio::test]
async fn a_roll_from_another_release_keeps_an_interview_going() {
    let mut cluster = cluster().await.lock().await;
    cluster.site.set("OTHER_RELEASE", "0.0.9");
    cluster.roll_all().await;
    cluster.site.set("OTHER_RELEASE", "");
    let (tenant, rest) = cluster.site.customer(&cluster.gateway).await;
    let interview = rest.create(&one_skill()).await;
    let link = interview.approved().await;
    let mut conversation = Conversation::new(&LINES);
    let mut socket = Socket::open(&cluster.through(1, &link.join_url)).await.expect("the link is good");
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");

    let Cluster { site, interviewers, agents, gateway, edges } = &mut *cluster;
    for (round, interviewer) in (2..).zip(interviewers.iter_mut()) {
        Cluster::roll(site, "interviewer", interviewer).await;
        assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == round).await, "{conversation:?}");
    }
    Cluster::roll_agents(site, agents).await;
    Cluster::roll(site, "gateway", gateway).await;
    let mut passed_over = 0.0;
    for interviewer in interviewers.iter() {
        passed_over += interviewer.metric("interviewer", "maya_audio_unreadable_total").await;
    }
    assert!(passed_over > 0.0, "the old edge spoke as another release does");
    let mut socket = Socket::open(&link.join_url).await.expect("the first edge is of this release");
    Cluster::roll(site, "edge", &mut edges[1]).await;
    to_the_end(&mut conversation, &mut socket).await;

    let rest = Rest::new(&cluster.gateway.url("gateway"), &tenant.api_key);
    let interview = rest.interview(&interview.id);
    interview.until("ASSESSMENT_READY").await;
    assert_eq!(interview.answers().await, conversation.said, "each word once: {conversation:?}");
    assert_eq!(conversation.said[..4], LINES);
    assert!(conversation.errors.is_empty(), "{conversation:?}");
}

#[tokio::test]
async fn an_interview_outlives_every_interviewer_that_was_killed() {
    let mut cluster = cluster().await.lock().await;
    let (_, rest) = cluster.site.customer(&cluster.gateway).await;
    let interview = rest.create(&one_skill()).await;
    let link = interview.approved().await;
    let mut conversation = Conversation::new(&LINES);
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 2).await, "{conversation:?}");
    let fresh = vec![cluster.site.serve("interviewer").await, cluster.site.serve("interviewer").await];
    for old in std::mem::replace(&mut cluster.interviewers, fresh) {
        old.kill().await;
    }
    // the candidate says nothing, and need not: the socket stays open and Maya takes it up again
    to_the_end(&mut conversation, &mut socket).await;
    assert_eq!(interview.answers().await, conversation.said, "each word once: {conversation:?}");
    assert!(conversation.errors.is_empty(), "{conversation:?}");
}

fn one_skill() -> serde_json::Value {
    let mut body = short_interview();
    body["skills"] = json!([{ "name": "Rust", "level": "MID", "mustHave": true }]);
    body
}
