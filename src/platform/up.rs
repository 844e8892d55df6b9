//! `maya up` and `maya down`: the whole platform on this machine for a person to try.

use super::{
    Platform,
    interrupt::{Interrupt, early_stop_is_fine},
    senses::Wanted,
    start,
};
use crate::{
    cli::api::Api,
    config::{Config, Role},
};
use anyhow::Context as _;
use maya_gateway::{auth, keys, sealed::Sealing, tenants};
use nix::{sys::signal, unistd::Pid};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::sleep;
use url::Url;

/// What `up` keeps for the next call, readable by its owner only.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kept {
    pid: i32,
    listens: BTreeMap<Role, SocketAddr>,
    tenant_id: String,
    api_key: String,
    operator_key: String,
    join_url: String,
}

fn file(config: &Config) -> PathBuf {
    config.data_dir.join("up.json")
}

fn read(path: &Path) -> Kept {
    fs::read(path).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

fn write(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    use std::io::Write as _;
    let whole = path.with_extension("json.new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&whole).context("up.json")?;
    file.write_all(&serde_json::to_vec_pretty(kept)?)?;
    fs::rename(whole, path).context("up.json")
}

/// Whether that process is a running `maya`.
fn runs(pid: i32) -> bool {
    pid > 0
        && signal::kill(Pid::from_raw(pid), None).is_ok()
        && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "maya")
}

/// Brings the platform up and stays until it is told to stop; where one runs already, prints its addresses.
pub async fn up(mut config: Config) -> anyhow::Result<()> {
    let path = file(&config);
    let kept = read(&path);
    if runs(kept.pid) {
        println!("maya is up already (process {}).\n", kept.pid);
        print(&kept);
        return Ok(());
    }
    fs::create_dir_all(&config.data_dir)?;
    if std::env::var_os("MAYA_LOG__LEVEL").is_none() {
        config.log.level = "warn".to_owned();
    }
    free_ports(&mut config);
    if config.database.url.is_none() && !config.data_dir.join("postgres/data").exists() {
        println!("The first start makes a database and reads the skill catalogue into it: some seconds more.\n");
    }
    let interrupt = Interrupt::listen()?;
    early_stop_is_fine(stay(config, path, kept, &interrupt).await)
}

async fn stay(config: Config, path: PathBuf, mut kept: Kept, interrupt: &Interrupt) -> anyhow::Result<()> {
    let sealing = Sealing::new(config.keys()?.sealing());
    let wanted = Wanted { roles: &Role::ALL, candidate: false };
    let platform = start(config, wanted, interrupt).await?;
    let shown = interrupt.or(show(&platform, &sealing, &path, &mut kept)).await;
    if shown.is_ok() {
        platform.until_told(interrupt).await;
    }
    platform.stop().await;
    kept.pid = 0;
    write(&path, &kept)?;
    shown
}

/// Prints what a person needs to try it: first where it is, then, when they are there, its voices.
async fn show(platform: &Platform, sealing: &Sealing, path: &Path, kept: &mut Kept) -> anyhow::Result<()> {
    kept.pid = std::process::id() as i32;
    kept.listens = platform.listens().clone();
    ensure_tenant(platform, sealing, kept).await?;
    write(path, kept)?;
    match sample(kept).await {
        Ok(url) => kept.join_url = url,
        Err(error) => eprintln!("maya: the sample interview could not be prepared: {error:#}"),
    }
    write(path, kept)?;
    print(kept);
    println!();
    if !platform.loading().is_empty() {
        println!("Maya's ears and voice are being loaded; a candidate who joins before that waits for them.");
    }
    let embedding = platform.senses.embedding.clone().await;
    let talking = platform.senses.talking.clone().await;
    for line in embedding.report.iter().chain(&talking.report) {
        println!("  {line}");
    }
    println!("Ctrl-C stops it.");
    Ok(())
}

/// Stops what `up` started.
pub async fn down(config: Config) -> anyhow::Result<()> {
    let kept = read(&file(&config));
    if !runs(kept.pid) {
        println!("maya is not up.");
        return Ok(());
    }
    signal::kill(Pid::from_raw(kept.pid), signal::Signal::SIGTERM)?;
    for _ in 0..600 {
        if !runs(kept.pid) {
            println!("maya is down.");
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("process {} does not stop", kept.pid)
}

/// A busy port is named and the next free one taken.
fn free_ports(config: &mut Config) {
    let mut taken = Vec::new();
    for role in Role::ALL {
        let wanted = config.listen(role);
        let mut listen = wanted;
        while listen.port() != 0 && (taken.contains(&listen.port()) || TcpListener::bind(listen).is_err()) {
            listen.set_port(listen.port().wrapping_add(1));
        }
        if listen != wanted {
            println!("port {} is busy: {role} takes {}", wanted.port(), listen.port());
        }
        taken.push(listen.port());
        config.set_listen(role, listen);
    }
}

async fn ensure_tenant(platform: &Platform, sealing: &Sealing, kept: &mut Kept) -> anyhow::Result<()> {
    let store = &platform.connected.shared.store;
    let gateway = base(kept, Role::Gateway)?;
    let known = !kept.api_key.is_empty()
        && Api::new(&gateway, kept.api_key.as_str())?.get("integration/interviews?limit=1").await.is_ok();
    if known {
        return Ok(());
    }
    let tenant = tenants::create(store, sealing, "My company", Some("people@localhost")).await?;
    kept.operator_key = keys::create(store, tenant.tenant_id, "dashboard", auth::Role::Operator).await?.api_key;
    kept.tenant_id = tenant.tenant_id.to_string();
    kept.api_key = tenant.api_key;
    Ok(())
}

fn base(kept: &Kept, role: Role) -> anyhow::Result<Url> {
    let address = kept.listens.get(&role).context("the role is not there")?;
    Ok(Url::parse(&format!("http://{address}/"))?)
}

/// An interview that is ready to be joined.
async fn sample(kept: &Kept) -> anyhow::Result<String> {
    let api = Api::new(&base(kept, Role::Gateway)?, kept.api_key.as_str())?;
    let body: serde_json::Value = serde_json::from_str(include_str!("../../demo/interview.json"))?;
    let made = api.post("integration/interviews", &body).await?;
    let id = made["id"].as_str().context("the interview has an id")?.to_owned();
    for _ in 0..200 {
        match api.get(&format!("integration/interviews/{id}")).await?["state"].as_str() {
            Some("PENDING") => {
                api.post(&format!("integration/interviews/{id}/plan/approve"), &serde_json::json!({})).await?;
                let session = api.post(&format!("integration/interviews/{id}/session"), &serde_json::json!({})).await?;
                return Ok(session["joinUrl"].as_str().context("the session has a join URL")?.to_owned());
            }
            Some("VALIDATING_SKILLS") | Some("RECEIVED") => sleep(Duration::from_millis(50)).await,
            other => anyhow::bail!("the sample interview is {other:?}"),
        }
    }
    anyhow::bail!("no plan came")
}

fn print(kept: &Kept) {
    let address = |role| kept.listens.get(&role).map_or_else(|| "-".to_owned(), SocketAddr::to_string);
    let (gateway, edge) = (address(Role::Gateway), address(Role::Edge));
    let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
    println!("Candidate   {}", kept.join_url);
    println!("Dashboard   http://{gateway}/dashboard#key={}", kept.operator_key);
    println!("API         http://{gateway}/api/v1  (documentation: http://{gateway}/api/v1/docs)");
    println!(
        "\nFrom another machine (a browser gives no microphone on plain http from elsewhere):\n  ssh -L {g}:127.0.0.1:{g} -L {e}:127.0.0.1:{e} this-machine",
        g = port(&gateway),
        e = port(&edge)
    );
    println!(
        r#"
Create an interview, wait for its plan, approve it, and get the candidate's link:
  API=http://{gateway}/api/v1/integration/interviews KEY={key}
  ID=$(curl -s $API -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d '{{
    "candidate": {{ "name": "Ada Byron", "email": "ada@example.com" }}, "durationMinutes": 5, "language": "en-US",
    "position": {{ "title": "Backend Engineer", "level": "MID", "description": "Builds our services." }},
    "skills": [ {{ "name": "Rust", "mustHave": true }}, {{ "name": "PostgreSQL" }} ] }}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
  until curl -s $API/$ID -H "X-API-Key: $KEY" | grep -q '"state":"PENDING"'; do sleep 0.2; done
  curl -s -X POST $API/$ID/plan/approve -H "X-API-Key: $KEY" >/dev/null
  curl -s -X POST $API/$ID/session -H "X-API-Key: $KEY""#,
        key = kept.api_key
    );
}
