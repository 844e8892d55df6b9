//! Several brokers that hold every partition among them, each of which may be killed.

use super::{answers, java, no_java, tail};
use crate::{
    wait::eventually,
    workspace::{Scratch, free_ports},
};
use maya_embedded::child::spawn_tied;
use nix::sys::signal::Signal;
use std::{fs, path::PathBuf, process::Child, time::Duration};

/// Three brokers without encryption. Each listens twice: for clients, who are told an address of the caller's choice
/// (a proxy's, so that a test can cut the way), and for the other brokers.
pub struct KafkaCluster {
    brokers: Vec<Broker>,
}

struct Broker {
    /// What clients are told.
    advertised: u16,
    client: u16,
    child: Option<Child>,
    data: Scratch,
}

impl KafkaCluster {
    /// Three brokers; `advertise` is asked with each one's number and the port where it listens for clients, and answers
    /// the port that clients are told.
    pub async fn start(mut advertise: impl AsyncFnMut(usize, u16) -> u16) -> Self {
        let clients: [u16; 3] = free_ports();
        let others: [u16; 3] = free_ports();
        let controllers: [u16; 3] = free_ports();
        let voters: Vec<String> =
            controllers.iter().enumerate().map(|(at, port)| format!("{}@127.0.0.1:{port}", at + 1)).collect();
        let mut brokers = Vec::new();
        for (at, client) in clients.into_iter().enumerate() {
            let data = Scratch::new();
            let advertised = advertise(at, client).await;
            let text = config(at + 1, [client, advertised, others[at], controllers[at]], &voters.join(","), &data);
            fs::write(data.path().join("broker.properties"), text).expect("our own folder can be written");
            brokers.push(Broker { advertised, client, child: None, data });
        }
        let mut cluster = Self { brokers };
        for at in 0..3 {
            cluster.brokers[at].format();
            cluster.begin(at);
        }
        for at in 0..3 {
            cluster.until_ready(at).await;
        }
        cluster
    }

    /// `host:port` of all, as clients are told.
    pub fn servers(&self) -> String {
        let servers: Vec<String> =
            self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.advertised)).collect();
        servers.join(",")
    }

    /// Ends one as `kill -9` does.
    pub fn kill(&mut self, broker: usize) {
        self.brokers[broker].kill();
    }

    /// Starts it again, without waiting for it.
    pub fn begin(&mut self, broker: usize) {
        self.brokers[broker].begin();
    }

    /// Waits until that broker answers and knows of all three.
    pub async fn until_ready(&mut self, broker: usize) {
        let one = &mut self.brokers[broker];
        let servers = format!("127.0.0.1:{}", one.client);
        let (log, mut child) = (one.log(), one.child.as_mut());
        eventually(Duration::from_secs(120), || {
            if let Some(Ok(Some(status))) = child.as_mut().map(|child| child.try_wait()) {
                panic!("the broker ended ({status}): {}", tail(&log));
            }
            answers(servers.clone(), 3)
        })
        .await;
    }
}

impl Broker {
    fn log(&self) -> PathBuf {
        self.data.path().join("broker.log")
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn begin(&mut self) {
        self.kill();
        let options = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
        let mut command = java(&options, &self.log());
        command.arg("kafka.Kafka").arg(self.data.path().join("broker.properties"));
        self.child = Some(spawn_tied(command, Signal::SIGKILL).unwrap_or_else(|error| no_java(&error)));
    }

    fn format(&self) {
        let mut command = java(&["-Xmx128m", "-XX:TieredStopAtLevel=1"], &self.log());
        command.args(["kafka.tools.StorageTool", "format", "--cluster-id", "bWF5YS10ZXN0LWNsdXN0ZQ", "--config"]);
        command.arg(self.data.path().join("broker.properties"));
        let status = command.status().unwrap_or_else(|error| no_java(&error));
        assert!(status.success(), "the broker's folder was not made: {}", tail(&self.log()));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config(id: usize, [client, advertised, other, controller]: [u16; 4], voters: &str, data: &Scratch) -> String {
    let logs = data.path().join("logs");
    format!(
        r#"process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=CLIENT://127.0.0.1:{client},BROKER://127.0.0.1:{other},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{advertised},BROKER://127.0.0.1:{other}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,BROKER:PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# a dead broker is seen after 3 s, not 9: there are kills to come
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"#,
        logs.display()
    )
}
