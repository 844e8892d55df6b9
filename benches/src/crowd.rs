//! Candidates in a process of their own, so that their CPU is apart from the platform's.
//!
//! The parent writes the orders as one line of JSON and reads `ready` when every candidate has been greeted to the
//! end. It writes `measure` when the measurement begins, and closes the pipe when it is over; the answer is one line
//! of JSON, or none where an interview failed.

use crate::{
    candidate::{self, FRAME, Socket, What},
    figures::Durations,
};
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream::FuturesUnordered};
use maya_protocol::clock::{self, SharedClock};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::{
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin},
    sync::{Semaphore, mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_tungstenite::tungstenite::Message;

/// The hidden argument by which a program is the crowd.
pub const ARGUMENT: &str = "crowd";

/// What the candidates do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// Each candidate's interviews, one after the other.
    pub links: Vec<Vec<String>>,
    /// What each says whenever the floor is theirs.
    pub line: String,
    /// The longest that one thinks before, in milliseconds.
    pub thinks_ms: u64,
    /// They speak as soon as Maya is heard, too.
    pub interrupts: bool,
}

/// What became of it, within the measurement.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// From each end of an answer to the first audio of the reply, in microseconds.
    pub added_us: Vec<u64>,
    /// From the first frame of speech over Maya's voice to AGENT_CLEAR, in microseconds.
    pub cleared_us: Vec<u64>,
    /// Frames of a turn that came after its AGENT_CLEAR.
    pub after_clear: usize,
    /// Frames of audio sent more than a frame late: the crowd itself was too slow.
    pub late: usize,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.added_us.extend(other.added_us);
        self.cleared_us.extend(other.cleared_us);
        self.after_clear += other.after_clear;
        self.late += other.late;
    }
    /// As durations.
    pub fn durations(us: &[u64]) -> Durations {
        us.iter().map(|us| Duration::from_micros(*us)).collect()
    }
}

/// A running crowd.
pub struct Crowd {
    child: Child,
    orders: Option<ChildStdin>,
    answers: std::io::Lines<std::io::BufReader<ChildStdout>>,
}

impl Crowd {
    /// Starts this very program as the crowd; returns when every candidate has been greeted.
    pub fn start(orders: &Orders) -> Result<Self> {
        use std::io::{BufRead, Write};
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("standard input is piped")?;
        writeln!(stdin, "{}", serde_json::to_string(orders)?)?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut crowd = Self { child, orders: Some(stdin), answers: std::io::BufReader::new(stdout).lines() };
        let ready = crowd.answers.next().transpose()?;
        ensure!(ready.as_deref() == Some("ready"), "not every candidate was greeted");
        Ok(crowd)
    }
    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// From here on is measured.
    pub fn measure(&mut self) -> Result<()> {
        use std::io::Write;
        Ok(writeln!(self.orders.as_mut().context("it has not ended")?, "measure")?)
    }
    /// The measurement is over: what became of it.
    pub fn end(mut self) -> Result<Outcome> {
        self.orders = None;
        let answer = self.answers.next().transpose()?.context("an interview failed: nothing is reported")?;
        ensure!(self.child.wait()?.success(), "an interview failed: nothing is reported");
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What every candidate follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Settling,
    Measured,
    Over,
}

/// Is the crowd. Ends the process where an interview fails: a blocking read of standard input would outlive this.
pub async fn run() {
    if let Err(error) = hold_all().await {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

async fn hold_all() -> Result<()> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let orders: Orders = serde_json::from_str(&input.next_line().await?.context("orders")?)?;
    let (stage, stages) = watch::channel(Stage::Settling);
    let (greeted, mut greetings) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        line: candidate::speech(&orders.line),
        silence: candidate::silence(),
        thinks: Duration::from_millis(orders.thinks_ms),
        interrupts: orders.interrupts,
        clock: clock::system(),
        greeted,
        opening: Semaphore::new(OPENING),
        stages,
    });
    let count = orders.links.len();
    let candidates: FuturesUnordered<_> = orders
        .links
        .into_iter()
        .enumerate()
        .map(|(number, links)| tokio::spawn(one(shared.clone(), number, count, links)))
        .collect();
    let candidates = candidates.map(|done| done?).try_fold(Outcome::default(), |mut all, one| async move {
        all.add(one);
        Ok(all)
    });
    let conduct = async {
        for _ in 0..count {
            greetings.recv().await.context("the candidates")?;
        }
        println!("ready");
        follow(&mut input, &stage).await
    };
    let (outcome, ()) = tokio::try_join!(candidates, conduct)?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn follow(input: &mut Lines<BufReader<Stdin>>, stage: &watch::Sender<Stage>) -> Result<()> {
    while let Some(line) = input.next_line().await? {
        ensure!(line == "measure", "`{line}` is no order");
        stage.send_replace(Stage::Measured);
    }
    stage.send_replace(Stage::Over);
    Ok(())
}

struct Shared {
    line: Vec<Message>,
    silence: Message,
    thinks: Duration,
    interrupts: bool,
    clock: SharedClock,
    greeted: mpsc::UnboundedSender<()>,
    opening: Semaphore,
    stages: watch::Receiver<Stage>,
}

/// Sockets that may be opening at once.
const OPENING: usize = 32;
/// Something comes from Maya within: she encourages those who say nothing.
const PATIENCE: Duration = Duration::from_secs(45);

/// One candidate, from the first interview to the last.
async fn one(shared: Arc<Shared>, number: usize, count: usize, links: Vec<String>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    // spread over a frame, as people who know nothing of each other
    tokio::time::sleep(FRAME * number as u32 / count.max(1) as u32).await;
    let last = links.len().saturating_sub(1);
    for (at, link) in links.into_iter().enumerate() {
        let turn = shared.opening.acquire().await?;
        let socket = Socket::open(&link, shared.clock.clone()).await?;
        drop(turn);
        let mut interview = Interview {
            heard_at: shared.clock.now(),
            socket,
            shared: &shared,
            rng: StdRng::seed_from_u64((number + at * count) as u64),
            begins_at: None,
            at: None,
            streams: false,
            over_maya: None,
            ended: None,
            cleared: None,
            outcome: Outcome::default(),
        };
        let over = interview.hold(at == 0).await.with_context(|| format!("candidate {number}, interview {at}"));
        let (over, Interview { outcome: one, .. }) = (over?, interview);
        outcome.add(one);
        if over {
            return Ok(outcome);
        }
        ensure!(at < last, "candidate {number} has no interview left");
    }
    Ok(outcome)
}

/// One interview under way.
struct Interview<'a> {
    socket: Socket,
    /// When anything came from Maya.
    heard_at: Instant,
    shared: &'a Shared,
    rng: StdRng,
    /// When the candidate begins to speak.
    begins_at: Option<Instant>,
    /// The next frame of what is being said.
    at: Option<usize>,
    streams: bool,
    /// When the speech over Maya's voice began.
    over_maya: Option<Instant>,
    ended: Option<Instant>,
    cleared: Option<String>,
    outcome: Outcome,
}

impl Interview<'_> {
    /// Until the interview ends, or the measurement (`true`).
    async fn hold(&mut self, first: bool) -> Result<bool> {
        let (stages, mut to_come) = (self.shared.stages.clone(), self.shared.stages.clone());
        let mut frames = tokio::time::interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut greeted = !first;
        loop {
            tokio::select! {
                biased;
                () = async { drop(to_come.wait_for(|stage| *stage == Stage::Over).await) } => {
                    let _ = self.socket.say(&serde_json::json!({"type": "LEAVE"})).await;
                    return Ok(true);
                }
                due = frames.tick() => {
                    let late = self.shared.clock.now().saturating_duration_since(due.into_std());
                    if late > FRAME && *stages.borrow() == Stage::Measured {
                        self.outcome.late += 1;
                    }
                    self.speak().await?;
                }
                heard = self.socket.next() => {
                    let heard = heard?;
                    self.heard_at = heard.at;
                    let measured = *stages.borrow() == Stage::Measured;
                    match heard.what {
                        What::State(state) => match state.as_str() {
                            "ENDED" => return Ok(false),
                            "LISTENING" => {
                                if !std::mem::replace(&mut greeted, true) {
                                    let _ = self.shared.greeted.send(());
                                }
                                self.floor(heard.at);
                            }
                            _ => {}
                        },
                        What::Speech { turn, ms, .. } => self.hear(heard.at, turn, ms, measured),
                        What::Clear(turn) => {
                            if let Some(since) = self.over_maya.take() && measured {
                                self.outcome.cleared_us.push((heard.at - since).as_micros() as u64);
                            }
                            self.cleared = Some(turn);
                        }
                        What::Other => {}
                    }
                }
            }
        }
    }

    /// The floor is the candidate's.
    fn floor(&mut self, now: Instant) {
        if self.at.is_none() && self.begins_at.is_none() {
            let thinks = self.rng.random_range(0..=self.shared.thinks.as_millis() as u64);
            self.begins_at = Some(now + Duration::from_millis(thinks));
        }
    }

    fn hear(&mut self, now: Instant, turn: String, ms: u64, measured: bool) {
        if measured && self.cleared.as_ref() == Some(&turn) {
            self.outcome.after_clear += 1;
        }
        if ms == 0 {
            return;
        }
        if let Some(ended) = self.ended.take()
            && measured
        {
            self.outcome.added_us.push((now - ended).as_micros() as u64);
        }
        if self.shared.interrupts && self.at.is_none() && self.begins_at.is_none() {
            self.begins_at = Some(now);
        }
    }

    /// Sends the frame that is due: speech, or silence.
    async fn speak(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.streams, true) {
            self.socket.send(candidate::start()).await?;
        }
        let now = self.shared.clock.now();
        ensure!(now - self.heard_at < PATIENCE, "nothing was heard of Maya for {PATIENCE:?}");
        if self.at.is_none() && self.begins_at.is_some_and(|begins| begins <= now) {
            self.begins_at = None;
            self.at = Some(0);
            self.over_maya = Some(now);
        }
        let frame = self.at.map_or(&self.shared.silence, |at| &self.shared.line[at]);
        self.socket.send(frame.clone()).await?;
        let Some(at) = &mut self.at else { return Ok(()) };
        *at += 1;
        if *at == self.shared.line.len() {
            self.at = None;
            self.streams = false;
            self.over_maya = None;
            self.ended = Some(self.shared.clock.now());
            self.socket.send(candidate::end()).await?;
        }
        Ok(())
    }
}
