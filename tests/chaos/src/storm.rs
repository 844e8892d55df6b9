//! The storm: interviews are held, and while they are held the platform is killed, frozen and cut apart under them.

mod blow;
mod collect;
mod fleet;
mod links;
mod parts;
mod process;
mod recruiter;
pub mod schedule;
mod script;
mod seat;
mod tap;
mod watch;

pub use fleet::beside_us;

use crate::{
    check,
    evidence::Evidence,
    report::{Bother, Fault, Report},
};
use anyhow::Context as _;
use fleet::Fleet;
use maya_protocol::clock::{SharedClock, system};
use maya_testkit::Receiver;
use parking_lot::Mutex;
use parts::Parts;
use recruiter::Recruiter;
use seat::Seat;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The last interviews may take this long after the last blow.
const LAST_INTERVIEWS: Duration = Duration::from_secs(300);

/// What kind of storm.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many kills.
    pub kills: usize,
    /// The same seed is the same schedule.
    pub seed: u64,
    /// Interviews at once.
    pub seats: usize,
    /// The binary.
    pub maya: PathBuf,
    /// Where toxiproxy's server is; none: no way between two parts is harmed.
    pub toxiproxy: Option<PathBuf>,
    /// A fault that the binary is to have (store/src/planted.rs); then the blows are those that bring it to light.
    pub plant: Option<String>,
    /// Where the evidence is left: a folder that is there and empty.
    pub folder: PathBuf,
}

/// What the tasks of a storm share.
struct Shared {
    seed: u64,
    folder: PathBuf,
    clock: SharedClock,
    began: Instant,
    parts: Parts,
    fleet: Fleet,
    recruiter: Recruiter,
    hooks: Receiver,
    /// All that were created.
    interviews: Mutex<Vec<String>>,
    seats: Vec<Arc<Mutex<Seat>>>,
    faults: Mutex<Vec<Fault>>,
    bothers: Mutex<Vec<Bother>>,
    complaints: Mutex<Vec<String>>,
    /// No new interview begins.
    over: CancellationToken,
    /// What is still to be made whole.
    healing: TaskTracker,
}

impl Shared {
    /// Milliseconds since the storm began.
    fn now(&self) -> u64 {
        (self.clock.now() - self.began).as_millis() as u64
    }

    /// What the storm itself could not do.
    fn complain(&self, what: String) {
        eprintln!("{:7.1} s  {what}", self.now() as f64 / 1000.0);
        self.complaints.lock().push(what);
    }
}

/// Lets it loose, and judges what is left.
pub async fn run(settings: Settings) -> anyhow::Result<Report> {
    // the only provider that is built in; an error means that it is installed already
    let _ = rustls::crypto::ring::default_provider().install_default();
    fs::create_dir_all(settings.folder.join("candidates"))?;
    let mut blows = schedule::schedule(settings.seed, settings.kills, settings.toxiproxy.is_some());
    if let Some(fault) = &settings.plant {
        schedule::provoke(&mut blows, fault);
    }
    write(&settings.folder.join("schedule.json"), &blows)?;

    let mut parts = Parts::start(fleet::EDGES, settings.toxiproxy.as_deref()).await?;
    parts.env.extend(settings.plant.map(|fault| ("PLANTED_FAULT".to_owned(), fault)));
    let fleet = Fleet::start(&settings.maya, &settings.folder, &parts).await?;
    let (key, secret) = tenant(&fleet).await?;
    let clock = system();
    let shared = Arc::new(Shared {
        seed: settings.seed,
        began: clock.now(),
        recruiter: Recruiter::new(fleet.gateways(), key, clock.clone())?,
        hooks: Receiver::start(&secret).await,
        folder: settings.folder.clone(),
        clock,
        parts,
        fleet,
        interviews: Mutex::default(),
        seats: (0..settings.seats).map(|_| Arc::default()).collect(),
        faults: Mutex::default(),
        bothers: Mutex::default(),
        complaints: Mutex::default(),
        over: CancellationToken::new(),
        healing: TaskTracker::new(),
    });
    let sitting = TaskTracker::new();
    for (number, seat) in shared.seats.iter().enumerate() {
        sitting.spawn(seat::sit(shared.clone(), seat.clone(), number));
    }
    for blow in &blows {
        blow::strike(&shared, blow).await;
    }
    shared.over.cancel();
    shared.healing.close();
    shared.healing.wait().await;
    sitting.close();
    if tokio::time::timeout(LAST_INTERVIEWS, sitting.wait()).await.is_err() {
        shared.complain("the last interviews did not come to their end".to_owned());
    }
    collect::settle(&shared).await?;
    shared.fleet.fallen();

    if let Err(error) = tap::tap(&shared).await {
        shared.complain(format!("the log of the audio could not be read: {error:#}"));
    }
    let evidence = collect::collect(&shared).await?;
    write(&settings.folder.join("evidence.json"), &evidence)?;
    write(&settings.folder.join("faults.json"), &*shared.faults.lock())?;
    write(&settings.folder.join("bothers.json"), &*shared.bothers.lock())?;
    let mut complaints = shared.fleet.deaths();
    complaints.extend(shared.complaints.lock().iter().cloned());
    write(&settings.folder.join("complaints.json"), &complaints)?;
    judge(&settings.folder)
}

/// Judges a folder of evidence, now or a year later.
pub fn judge(folder: &Path) -> anyhow::Result<Report> {
    let evidence: Evidence = read(&folder.join("evidence.json"))?;
    let faults: Vec<Fault> = read(&folder.join("faults.json"))?;
    let bothers: Vec<Bother> = read(&folder.join("bothers.json"))?;
    let complaints: Vec<String> = read(&folder.join("complaints.json"))?;
    Ok(Report::new(&evidence, &faults, &bothers, check::check(&evidence), complaints))
}

/// A tenant: its key and the secret of its webhooks.
async fn tenant(fleet: &Fleet) -> anyhow::Result<(String, String)> {
    let command = fleet.command(&["tenant", "create", "--name", "Acme", "--json"]);
    let output = tokio::process::Command::from(command).output().await.context("maya tenant create")?;
    let made: serde_json::Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let text = |field: &str| made[field].as_str().map(str::to_owned).context("a tenant is complete");
    Ok((text("apiKey")?, text("webhookSecret")?))
}

fn write(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    fs::write(path, serde_json::to_vec_pretty(value)?).with_context(|| path.display().to_string())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}
