//! What maya stands on: a Kafka of three brokers, Redis and PostgreSQL, and the proxies before them.

use super::links::Links;
use anyhow::Context as _;
use maya_testkit::{KafkaCluster, Postgres, Redis, free_ports};
use sqlx::PgPool;
use std::path::Path;
use tokio::sync::Mutex;

/// The parts, and how maya and the storm reach them.
pub struct Parts {
    /// Held while a broker is down: never two at once.
    pub kafka: Mutex<KafkaCluster>,
    /// Held while it is down.
    pub redis: Mutex<Redis>,
    /// The storm's own way to the database, which is never harmed.
    pub database: PgPool,
    /// None: ways are left alone.
    pub links: Option<Links>,
    /// What maya is told.
    pub env: Vec<(String, String)>,
    /// Where the edges listen, and where candidates reach them.
    pub edges: Vec<(u16, u16)>,
    _postgres: Postgres,
}

impl Parts {
    /// Starts all; with proxies where there is a toxiproxy.
    pub async fn start(edges: usize, toxiproxy: Option<&Path>) -> anyhow::Result<Self> {
        let links = match toxiproxy {
            Some(server) => Some(Links::start(server).await?),
            None => None,
        };
        let lay = async |name: &str, port: u16| match &links {
            Some(links) => links.lay(name, port).await,
            None => Ok(port),
        };
        let mut refused = None;
        let broker = async |at: usize, port: u16| match lay(&format!("kafka-{at}"), port).await {
            Ok(way) => way,
            Err(error) => {
                refused = Some(error);
                port
            }
        };
        let (kafka, redis, postgres) = tokio::join!(KafkaCluster::start(broker), Redis::start(), Postgres::start());
        if let Some(error) = refused {
            return Err(error);
        }
        let database = postgres.fresh_database().await;
        let mut ways = Vec::new();
        for (name, url) in [("postgres", database.as_str()), ("redis", &redis.url())] {
            let port = port_of(url)?;
            ways.push(url.replace(&format!(":{port}/"), &format!(":{}/", lay(name, port).await?)));
        }
        let mut doors = Vec::new();
        for at in 0..edges {
            let [listen] = free_ports();
            doors.push((listen, lay(&format!("edge-{at}"), listen).await?));
        }
        let settings = [
            ("MAYA_DATABASE__URL", ways[0].as_str()),
            ("MAYA_REDIS__URL", &ways[1]),
            ("MAYA_KAFKA__BROKERS", &kafka.servers()),
            ("MAYA_BUS__REPLICATION", "3"),
            ("MAYA_BUS__MEDIA_PARTITIONS", "12"),
            ("MAYA_JOIN__KEY", "a join key of thirty-two bytes..."),
            ("MAYA_EDGE__PUBLIC_URL", &format!("http://127.0.0.1:{}", doors[0].1)),
            ("MAYA_VOICES__KIND", "scripted"),
            ("MAYA_LOG__JSON", "false"),
        ];
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let database = PgPool::connect(&database).await.context("the storm's own connection")?;
        Ok(Self {
            kafka: Mutex::new(kafka),
            redis: Mutex::new(redis),
            database,
            links,
            env,
            edges: doors,
            _postgres: postgres,
        })
    }
}

fn port_of(url: &str) -> anyhow::Result<u16> {
    let rest = url.rsplit_once("127.0.0.1:").context("a part is on loopback")?.1;
    Ok(rest.split('/').next().unwrap_or_default().parse()?)
}
