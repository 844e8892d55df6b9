//! The parts that other tests stand on: each starts, and is what it says.

use maya_testkit::{Redis, eventually, kafka, postgres, redis};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};
use sqlx::{Connection, PgConnection};
use std::{process::Command, time::Duration};

#[tokio::test]
async fn postgres_gives_each_test_a_database_with_pgvector() {
    let (first, second) = tokio::join!(postgres().await.fresh_database(), postgres().await.fresh_database());
    assert_ne!(first, second);
    let mut connection = PgConnection::connect(&first).await.unwrap();
    sqlx::raw_sql("create extension vector; create table t (v vector(3))").execute(&mut connection).await.unwrap();
    let mut connection = PgConnection::connect(&second).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from pg_tables where tablename = 't'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(seen, 0);
}

#[test]
fn the_shared_postgres_outlives_the_runtime_that_started_it() {
    let url = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { postgres().await.fresh_database().await })
    };
    url();
    let again = url();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { PgConnection::connect(&again).await.unwrap() });
}

#[tokio::test]
async fn kafka_answers_without_and_with_a_login() {
    let kafka = kafka().await;
    let mut plain = ClientConfig::new();
    plain.set("bootstrap.servers", &kafka.plaintext);
    let admin: AdminClient<DefaultClientContext> = plain.create().unwrap();
    let topic = NewTopic::new("smoke", 100, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();

    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let mut secure = ClientConfig::new();
        secure.set("bootstrap.servers", &kafka.sasl_ssl).set("security.protocol", "SASL_SSL");
        secure.set("ssl.ca.location", kafka.ca_file.to_str().unwrap()).set("sasl.mechanism", mechanism);
        secure.set("sasl.username", &kafka.username).set("sasl.password", &kafka.password);
        let partitions = eventually(Duration::from_secs(20), || {
            let secure = secure.clone();
            async move {
                let ask = move || {
                    let client: BaseConsumer = secure.create().unwrap();
                    let metadata = client.fetch_metadata(Some("smoke"), Duration::from_secs(5)).ok()?;
                    Some(metadata.topics()[0].partitions().len()).filter(|count| *count > 0)
                };
                tokio::task::spawn_blocking(ask).await.unwrap()
            }
        })
        .await;
        assert_eq!(partitions, 100, "{mechanism}");
    }
}

#[tokio::test]
async fn redis_answers_and_comes_back_empty() {
    let client = ::redis::Client::open(redis().await.url()).unwrap();
    let mut shared = client.get_multiplexed_async_connection().await.unwrap();
    ::redis::cmd("SET").arg("smoke").arg(1).query_async::<()>(&mut shared).await.unwrap();

    let mut own = Redis::start().await;
    let client = ::redis::Client::open(own.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    ::redis::cmd("SET").arg("key").arg(1).query_async::<()>(&mut connection).await.unwrap();
    own.kill();
    assert!(client.get_multiplexed_async_connection().await.is_err());
    own.restart().await;
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert_eq!(::redis::cmd("DBSIZE").query_async::<i64>(&mut connection).await.unwrap(), 0);
    ::redis::cmd("SET").arg("key").arg(1).query_async::<()>(&mut connection).await.unwrap();
    own.flush().await;
    assert_eq!(::redis::cmd("DBSIZE").query_async::<i64>(&mut connection).await.unwrap(), 0);
}

/// Set in the process that the test below starts and lets kill itself.
const VICTIM: &str = "MAYA_TESTKIT_VICTIM";

/// Starts parts, says where they are, and dies as by `kill -9`.
async fn start_and_die() {
    println!("left {}", Redis::start().await.url());
    println!("left {}", postgres().await.url());
    nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn parts_end_with_a_test_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        return start_and_die().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "parts_end_with_a_test_process_that_is_killed", "--nocapture"]).env(VICTIM, "1");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ports: Vec<_> = text
        .lines()
        .filter(|line| line.contains("left "))
        .map(|line| line.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(ports.len(), 2, "{text}");
    for port in ports {
        let address = format!("127.0.0.1:{port}");
        eventually(Duration::from_secs(10), || {
            let address = address.clone();
            async move { tokio::net::TcpStream::connect(&address).await.is_err().then_some(()) }
        })
        .await;
    }
}
