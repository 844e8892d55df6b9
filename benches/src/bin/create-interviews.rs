//! How many interviews a gateway creates a second, durably: `POST /api/v1/integration/interviews` by many users at once.
//!
//! Starts `maya serve --roles gateway` (private PostgreSQL with fsync, embedded bus) in a temporary data dir.
//! The load generator is this process, on one thread; it shares the machine with the gateway and PostgreSQL.

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::Parser;
use hyper::{Method, StatusCode};
use maya_benches::{
    figures::{self, Durations},
    http::Connection,
    site::{Site, complete_interview},
};
use maya_protocol::clock;
use std::time::Duration;

const PATH: &str = "/api/v1/integration/interviews";

/// Measures the creation of interviews.
#[derive(Parser)]
struct Args {
    /// Users, each with a connection of its own and one request at a time.
    #[arg(long, default_value_t = 200)]
    users: usize,
    /// For how long, after two seconds of warming up.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Sends an Idempotency-Key with each, as careful clients do.
    #[arg(long)]
    idempotent: bool,
    /// Prints the gateway's process id and waits that long before the load, for a profiler.
    #[arg(long, default_value_t = 0)]
    pause: u64,
}

/// What one user saw.
#[derive(Default)]
struct Seen {
    created: Durations,
    errors: u64,
    first_error: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let clock = clock::system();
    let site = Site::new()?;
    let maya = site.serve("gateway").await?;
    let (host, key) = (maya.address("gateway")?, site.tenant()?);
    if args.pause > 0 {
        eprintln!("gateway: {}", maya.pid());
        tokio::time::sleep(Duration::from_secs(args.pause)).await;
    }

    let body = Bytes::from(complete_interview().to_string());
    let begin = clock.now() + Duration::from_secs(2);
    let end = begin + Duration::from_secs(args.seconds);
    let users: Vec<_> = (0..args.users)
        .map(|_| {
            let (host, key, body, clock, idempotent) =
                (host.clone(), key.clone(), body.clone(), clock.clone(), args.idempotent);
            tokio::spawn(async move {
                let mut connection = Connection::open(&host, &key).await?;
                let mut seen = Seen::default();
                loop {
                    let asked = clock.now();
                    if asked >= end {
                        return anyhow::Ok(seen);
                    }
                    let answer = if idempotent {
                        let key = uuid::Uuid::new_v4().to_string();
                        connection.send_with(Method::POST, PATH, &[("idempotency-key", &key)], body.clone()).await
                    } else {
                        connection.send(Method::POST, PATH, body.clone()).await
                    };
                    if asked < begin {
                        continue;
                    }
                    match answer {
                        Ok((StatusCode::CREATED, _)) => seen.created.push(clock.now() - asked),
                        Ok((status, body)) => {
                            seen.errors += 1;
                            seen.first_error
                                .get_or_insert_with(|| format!("{status} {}", String::from_utf8_lossy(&body)));
                        }
                        Err(error) => {
                            seen.errors += 1;
                            seen.first_error = Some(error.to_string());
                            return Ok(seen);
                        }
                    }
                }
            })
        })
        .collect();

    tokio::time::sleep_until((begin).into()).await;
    let cpu = |pid| figures::cpu(pid).unwrap_or_default();
    let (own, gateways) = (cpu(std::process::id()), cpu(maya.pid()));
    let busy = figures::busy();
    let mut all = Seen::default();
    for user in users {
        let seen = user.await??;
        all.created.extend(seen.created);
        all.errors += seen.errors;
        all.first_error = all.first_error.or(seen.first_error);
    }
    let (own, gateways) = (cpu(std::process::id()) - own, cpu(maya.pid()) - gateways);
    let busy = figures::busy() - busy;
    let cores = |time: Duration| time.as_secs_f64() / args.seconds as f64;

    println!(
        "{:.0} interviews/s by {} users, {} errors",
        all.created.len() as f64 / args.seconds as f64,
        args.users,
        all.errors
    );
    println!("{}", all.created.summary());
    println!(
        "cores: gateway {:.2}, load generator {:.2}, the whole machine {:.2}; load average {}",
        cores(gateways),
        cores(own),
        cores(busy),
        figures::load()
    );
    if let Some(error) = &all.first_error {
        println!("first error: {error}");
    }
    let listed = Connection::open(&host, &key).await?.get(&format!("{PATH}?limit=1")).await?;
    ensure!(!listed["items"].as_array().is_none_or(Vec::is_empty), "nothing was kept");
    maya.stop().await
}
