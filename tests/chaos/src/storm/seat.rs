//! A seat in which one interview follows the other: created, planned, held, judged, approved.

use super::{Shared, schedule::Phase, script, watch::Watch};
use crate::evidence::{Line, What};
use anyhow::Context as _;
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{fs, io::Write as _, process::Stdio, sync::Arc};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// How long a candidate looks for an edge that takes it in again, in seconds.
const RECONNECT: &str = "120";
/// An interview that is not over by then is left, in seconds.
const LIMIT: &str = "400";

/// What is known of the interview in a seat.
#[derive(Debug, Default, Clone)]
pub struct Seat {
    /// Before the join and after the end.
    waits_for: Option<Phase>,
    watch: Watch,
    /// The interview.
    pub interview: Option<String>,
    /// Its session.
    pub session: Option<String>,
}

impl Seat {
    /// What it is doing.
    pub fn phase(&self) -> Option<Phase> {
        self.waits_for.or_else(|| self.watch.phase())
    }
    /// `host:port` of the edge that holds its socket.
    pub fn edge(&self) -> Option<&str> {
        self.watch.edge()
    }
}

/// Holds interviews until the storm is over.
pub async fn sit(shared: Arc<Shared>, seat: Arc<Mutex<Seat>>, number: usize) {
    for round in 0.. {
        if shared.over.is_cancelled() {
            return;
        }
        if let Err(error) = hold(&shared, &seat, number, round).await {
            shared.complain(format!("seat {number}, interview {round}: {error:#}"));
        }
        *seat.lock() = Seat::default();
    }
}

async fn hold(shared: &Shared, seat: &Mutex<Seat>, number: usize, round: u64) -> anyhow::Result<()> {
    let body = json!({
        "externalId": format!("seat-{number}-{round}"), "callbackUrl": shared.hooks.url, "language": "en-US",
        "durationMinutes": 3,
        "candidate": { "name": "Jordan Ellis", "email": "jordan@example.com", "resume": "Six years of services." },
        "position": { "title": "Backend Engineer", "level": "MID", "description": "Runs the payment services." },
        "skills": [{ "name": "Rust", "level": "MID", "mustHave": true }],
    });
    let recruiter = &shared.recruiter;
    let interview = recruiter.create(&body, &format!("{}-{number}-{round}", shared.seed)).await?;
    shared.interviews.lock().push(interview.clone());
    {
        let mut seat = seat.lock();
        seat.interview = Some(interview.clone());
        seat.waits_for = Some(Phase::Planning);
    }
    recruiter.until(&interview, "PENDING").await?;
    let (join, session) = recruiter.approve_plan(&interview).await?;
    {
        let mut seat = seat.lock();
        seat.waits_for = None;
        seat.session = Some(session);
    }
    // the same seed, seat and round: the same words
    let mut rng = StdRng::seed_from_u64(shared.seed ^ ((number as u64) << 32) ^ (round << 40));
    let speak = shared.folder.join(format!("{interview}.txt"));
    fs::write(&speak, script::lines(&mut rng).join("\n"))?;
    candidate(shared, seat, &interview, &join, &speak.display().to_string(), number).await?;
    seat.lock().waits_for = Some(Phase::Assessing);
    recruiter.until(&interview, "ASSESSMENT_READY").await?;
    recruiter.approve_assessment(&interview).await?;
    recruiter.until(&interview, "ASSESSMENT_COMPLETED").await
}

/// Lets a candidate hold the interview; its log is kept.
async fn candidate(
    shared: &Shared,
    seat: &Mutex<Seat>,
    interview: &str,
    join: &str,
    speak: &str,
    number: usize,
) -> anyhow::Result<()> {
    let doors: Vec<String> = shared.parts.edges.iter().map(|(_, door)| format!("http://127.0.0.1:{door}")).collect();
    let first = number % doors.len();
    let join = join.replacen(&doors[0], &doors[first], 1);
    let mut args = vec!["candidate", "--join", &join, "--speak", speak, "--voice", "scripted", "--json"];
    args.extend(["--log", "/dev/stdout", "--reconnect", RECONNECT, "--limit", LIMIT]);
    for door in doors.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, door)| door) {
        args.extend(["--edge", door]);
    }
    let errors = fs::File::options().create(true).append(true).open(shared.folder.join("candidates.log"))?;
    let mut command = tokio::process::Command::from(shared.fleet.command(&args));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
    let mut child = command.spawn().context("the candidate")?;
    let mut lines = BufReader::new(child.stdout.take().context("standard output is piped")?).lines();
    let log = shared.folder.join("candidates").join(format!("{interview}.jsonl"));
    let mut log = fs::File::create(log)?;
    while let Some(line) = lines.next_line().await? {
        // the report at the end is no event
        let Ok(what) = serde_json::from_str::<What>(&line) else { continue };
        seat.lock().watch.take(&what);
        let line = Line { seen_ms: shared.now(), what };
        writeln!(log, "{}", serde_json::to_string(&line)?)?;
    }
    child.wait().await?;
    Ok(())
}
