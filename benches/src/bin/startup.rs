//! How long `maya serve` takes from its spawning to its first live answer, to its ready line, and until the interviewer
//! hears and speaks.
//!
//! First with the external parts up (a PostgreSQL that runs already, migrated; scripted voices), then as the second
//! `./maya up` of a machine starts: with its private PostgreSQL on an existing data dir, and the local voices.

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use maya_benches::{
    figures::{self, Durations},
    site::{Maya, Site, database},
};
use maya_protocol::clock;
use std::{net::TcpListener, process::Command, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Measures the start of a process.
#[derive(Parser)]
struct Args {
    /// Starts with external parts.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Starts with the private PostgreSQL and the local voices.
    #[arg(long, default_value_t = 3)]
    second_starts: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut site = Site::new()?;
    let (_folder, postgres) = database(true).await?;
    site.set("MAYA_DATABASE__URL", postgres.url());
    measure("external parts up", &mut site, args.runs).await?;
    postgres.stop().await?;

    let mut site = Site::new()?;
    site.set("MAYA_VOICES__KIND", "local");
    measure("private PostgreSQL, local voices", &mut site, args.second_starts).await?;
    println!("load average {}", figures::load());
    Ok(())
}

/// The first start, which makes the data dir and migrates, is not counted.
async fn measure(what: &str, site: &mut Site, runs: usize) -> Result<()> {
    let (mut live, mut ready, mut talks) = (Durations::default(), Durations::default(), Durations::default());
    for run in 0..=runs {
        let gateway = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
        site.set("MAYA_GATEWAY__LISTEN", &gateway);
        let (maya, times) = start(site.command(&["serve"])?, &gateway).await?;
        if run > 0 {
            live.push(times.live);
            ready.push(times.ready);
            talks.push(times.talks);
        }
        maya.stop().await?;
    }
    println!("{what}: live {}", live.summary());
    println!("{what}: ready {}", ready.summary());
    println!("{what}: hears and speaks {}", talks.summary());
    Ok(())
}

struct Times {
    live: Duration,
    ready: Duration,
    talks: Duration,
}

async fn start(command: Command, gateway: &str) -> Result<(Maya, Times)> {
    let clock = clock::system();
    let begin = clock.now();
    let live = async {
        while !answers(gateway, "/api/v1/health/live").await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        clock.now() - begin
    };
    let ready = async {
        let maya = Maya::start(command).await?;
        anyhow::Ok((maya, clock.now() - begin))
    };
    let (live, ready) = tokio::join!(tokio::time::timeout(Duration::from_secs(60), live), ready);
    let (maya, ready) = ready?;
    ensure!(live.is_ok(), "maya was ready and never live");
    let interviewer = maya.address("interviewer")?;
    let talks = async {
        while !answers(&interviewer, "/health/ready").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        clock.now() - begin
    };
    let talks = tokio::time::timeout(Duration::from_secs(60), talks).await.context("the interviewer is not ready")?;
    Ok((maya, Times { live: live.unwrap_or_default(), ready, talks }))
}

async fn answers(address: &str, path: &str) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        std::io::Result::Ok(head == *b"HTTP/1.1 200")
    };
    asked.await.unwrap_or(false)
}
