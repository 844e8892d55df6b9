//! What the operators' dashboard costs: CPU of a node with many sessions and of the gateway beside it, with viewers,
//! less what the same process uses without any.
//!
//! The node's probes are real and moved as live interviews move them (audio ten times a second, a turn of twenty
//! seconds with its helpers coming and going); the tree travels over gRPC on loopback and is sent to the viewers, who
//! are a process of their own, as server-sent events.

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Body, http::header, response::IntoResponse, routing::get};
use clap::{Parser, Subcommand};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use maya_actors::observe::{Ids, Observed, Observer};
use maya_benches::figures;
use maya_gateway::operators::{Watch, WatchSettings};
use maya_protocol::{
    clock::{self, SharedClock},
    ids::{Epoch, InterviewId, NodeId, SessionId, TenantId},
    registry::{NodeRecord, Registry, embedded::EmbeddedRegistry},
    rpc::{PeerHandler, Peers, serve},
    tree::{Known, NodeState, NodeView, StageLatency, TreeChanges},
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// A session's audio comes this often.
const AUDIO: Duration = Duration::from_millis(100);
/// Ticks of audio from one answer to the next.
const TURN: usize = 200;

/// Measures the dashboard.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    /// Live sessions.
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Viewers of the dashboard.
    #[arg(long, default_value_t = 10)]
    viewers: usize,
    /// How long each of the two measurements takes.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

#[derive(Subcommand)]
enum Role {
    /// Only reads the stream, so many times at once.
    #[command(hide = true)]
    View { url: String, viewers: usize },
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(Role::View { url, viewers }) = args.role {
        return view(&url, viewers).await;
    }
    let clock = clock::system();
    let node = NodeId::fresh();
    let observer = Observer::new(node.clone(), clock.clone());
    let url = platform(&observer, &node, &clock).await?;
    let root = observer.observe(None, "node", node.to_string());
    let lives: Vec<Life> = (0..args.sessions).map(|number| Life::begin(&observer, &root, number)).collect();
    tokio::spawn(live(lives, observer.clone(), clock));

    let pid = std::process::id();
    let used = async |seconds: u64| -> Result<Duration> {
        let before = figures::cpu(pid)?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(figures::cpu(pid)? - before)
    };
    used(3).await?;
    let alone = used(args.seconds).await?;
    let viewers = Viewers::start(&url, args.viewers)?;
    // the first, whole tree is over
    used(5).await?;
    let (before, seen_before) = (figures::cpu(viewers.child.id())?, viewers.seen());
    let watched = used(args.seconds).await?;
    let seen = viewers.seen() - seen_before;
    ensure!(seen > 0, "the viewers saw nothing");
    let share = |time: Duration| time.as_secs_f64() / args.seconds as f64 * 100.0;
    println!(
        "{} sessions, {} viewers: dashboard {:.2} % of a core (with viewers {:.2} %, without {:.2} %); the viewers' own process {:.1} %, {:.0} KiB a second to each; load {}",
        args.sessions,
        args.viewers,
        share(watched.saturating_sub(alone)),
        share(watched),
        share(alone),
        share(figures::cpu(viewers.child.id())? - before),
        seen as f64 / 1024.0 / args.seconds as f64 / args.viewers as f64,
        figures::load(),
    );
    Ok(())
}

/// A node and a gateway's watch, served over loopback; the URL of the stream.
async fn platform(observer: &Observer, id: &NodeId, clock: &SharedClock) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let rpc = listener.local_addr()?.to_string();
    let view = NodeView {
        id: id.clone(),
        roles: vec!["interviewer".to_owned()],
        zone: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: NodeState::Serving,
        started_at: clock.utc(),
        sessions: 0,
        tree: None,
    };
    let record = serde_json::json!({"id": id, "roles": view.roles, "zone": null, "version": view.version, "state": "SERVING",
        "rpc": rpc, "load": 0, "startedAt": view.started_at});
    let record: NodeRecord = serde_json::from_value(record)?;
    let handler = Arc::new(Node { observer: observer.clone(), view });
    tokio::spawn(async move { serve(listener, handler, "secret", std::future::pending()).await });
    let registry = Arc::new(EmbeddedRegistry::new(clock.clone()));
    registry.put_node(&record, Duration::from_secs(3600)).await?;
    let watch = Watch::new(registry, Peers::new("secret")?, clock.clone(), None, WatchSettings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let stream = move || {
        let watch = watch.clone();
        async move {
            let events = watch.follow().await.map(Ok::<_, std::convert::Infallible>);
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(stream))).await });
    Ok(url)
}

struct Node {
    observer: Observer,
    view: NodeView,
}

#[async_trait::async_trait]
impl PeerHandler for Node {
    async fn tree(&self, known: &Known) -> Option<TreeChanges> {
        Some(self.observer.changes(known, self.view.clone()))
    }
}

/// A session's probes.
struct Life {
    session: Observed,
    ear: Observed,
    helper: Option<Observed>,
    at: usize,
    turns: u32,
}

impl Life {
    fn begin(observer: &Observer, root: &Observed, number: usize) -> Self {
        let ids = Ids {
            session: SessionId::fresh(),
            interview: InterviewId::fresh(),
            tenant: TenantId::fresh(),
            epoch: Epoch(1),
        };
        let session = observer.session(root, ids);
        let ear = observer.observe(Some(&session), "speech_to_text", ids.session.to_string());
        session.phase("listening");
        ear.provider("open");
        Self { session, ear, helper: None, at: number % TURN, turns: 0 }
    }

    fn tick(&mut self, observer: &Observer, clock: &SharedClock) {
        let now = clock.utc();
        self.session.audio_came(now, false);
        for probe in [&self.session, &self.ear] {
            probe.sent();
            probe.handled();
        }
        self.ear.audio_heard(now);
        self.at += 1;
        let helper = |kind, state| {
            let probe = observer.observe(Some(&self.session), kind, format!("t{}", self.turns));
            probe.sent();
            probe.provider(state);
            Some(probe)
        };
        match self.at {
            80 => {
                self.session.phase("thinking");
                self.session.waits_for(Some("llm_turn"));
                self.helper = helper("llm_turn", "asked");
            }
            90 => {
                self.session.phase("speaking");
                self.session.waits_for(None);
                self.helper = helper("tts_sentence", "streaming");
            }
            130 => self.helper = None,
            TURN => {
                self.at = 0;
                self.turns += 2;
                self.session.phase("listening");
                self.session.waits_for(Some("candidate"));
                let latency =
                    StageLatency { endpoint: 400, stt: 90, llm: 500, tts: 120, total: 1_110 + u64::from(self.turns) };
                self.session.conversation(self.turns, latency);
            }
            _ => {}
        }
    }
}

async fn live(mut lives: Vec<Life>, observer: Observer, clock: SharedClock) {
    let mut ticks = tokio::time::interval(AUDIO);
    loop {
        ticks.tick().await;
        for life in &mut lives {
            life.tick(&observer, &clock);
        }
    }
}

/// The viewers' process; it ends with this one's measurement.
struct Viewers {
    child: Child,
    seen: Arc<AtomicU64>,
}
impl Viewers {
    fn start(url: &str, viewers: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["view", url, &viewers.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the viewers")?;
        let lines = BufReader::new(child.stdout.take().context("standard output is piped")?).lines();
        let seen = Arc::new(AtomicU64::new(0));
        let told = seen.clone();
        std::thread::spawn(move || {
            for bytes in lines.map_while(|line| line.ok()?.parse().ok()) {
                told.store(bytes, Ordering::Relaxed);
            }
        });
        Ok(Self { child, seen })
    }
    /// Bytes that all of them have read, as they said within the last second.
    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}
impl Drop for Viewers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn view(url: &str, viewers: usize) -> Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<bytes::Bytes>>();
    let seen = Arc::new(AtomicU64::new(0));
    let told = seen.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            println!("{}", told.load(Ordering::Relaxed));
        }
    });
    let reads = (0..viewers).map(|_| async {
        let mut body = client.get(url.parse()?).await?.into_body();
        while let Some(frame) = body.frame().await {
            let bytes = frame?.data_ref().map_or(0, bytes::Bytes::len);
            seen.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        anyhow::Ok(())
    });
    let all: Vec<Result<()>> = stream::iter(reads).buffer_unordered(viewers.max(1)).collect().await;
    all.into_iter().collect()
}
