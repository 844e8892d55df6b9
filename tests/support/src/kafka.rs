//! A real Kafka (KRaft), as children of the test process: one broker, or several that replicate.

mod cluster;

pub use cluster::KafkaCluster;

use crate::{
    certificate,
    wait::eventually,
    workspace::{self, Scratch, free_ports},
};
use maya_embedded::{Part, child::spawn_tied};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::OnceCell;

const USER: &str = "maya";
const PASSWORD: &str = "s3cret";

/// A broker on loopback. The SASL_SSL listener takes PLAIN, SCRAM-SHA-512 and unsecured OAUTHBEARER tokens; topics are
/// not made by themselves; a group's session may be as short as a second.
pub struct Kafka {
    /// `host:port` without encryption or login.
    pub plaintext: String,
    /// `host:port` with both.
    pub sasl_ssl: String,
    /// The certificate authority that signed the broker's certificate (PEM).
    pub ca_file: PathBuf,
    /// For PLAIN and SCRAM-SHA-512.
    pub username: String,
    /// For PLAIN and SCRAM-SHA-512.
    pub password: String,
    child: Option<Child>,
    data: Scratch,
}

/// The test process's broker. Tests share it: name topics and groups apart.
pub async fn kafka() -> &'static Kafka {
    static SHARED: OnceCell<Kafka> = OnceCell::const_new();
    SHARED.get_or_init(Kafka::start).await
}

impl Kafka {
    /// One of its own, for a test that kills it.
    pub async fn start() -> Self {
        let data = Scratch::new();
        let [plaintext, controller, sasl_ssl] = free_ports();
        let certificate = certificate::write(data.path());
        let config = config(plaintext, controller, sasl_ssl, &data, &certificate.server_pem);
        fs::write(data.path().join("broker.properties"), config).expect("our own folder can be written");
        let mut kafka = Self {
            plaintext: format!("127.0.0.1:{plaintext}"),
            sasl_ssl: format!("127.0.0.1:{sasl_ssl}"),
            ca_file: certificate.ca_file,
            username: USER.into(),
            password: PASSWORD.into(),
            child: None,
            data,
        };
        kafka.format();
        kafka.restart().await;
        kafka
    }

    /// Ends it as `kill -9` does. What it acknowledged is on disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops all its threads, as a machine does that swaps or is moved; no connection ends.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// It goes on, and believes that no time has passed.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("our own child");
    }

    /// Starts it again on the same ports, with what it had.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = self.java(&["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("kafka.Kafka").arg(self.data.path().join("broker.properties"));
        self.child = Some(spawn_tied(command, Signal::SIGKILL).unwrap_or_else(|error| no_java(&error)));
        let (servers, log) = (self.plaintext.clone(), self.data.path().join("broker.log"));
        let mut child = self.child.as_mut();
        eventually(Duration::from_secs(60), || {
            if let Some(Ok(Some(status))) = child.as_mut().map(|child| child.try_wait()) {
                panic!("the broker ended ({status}): {}", tail(&log));
            }
            answers(servers.clone(), 1)
        })
        .await;
    }

    /// Gives the data folder its cluster id and the user that SCRAM knows.
    fn format(&self) {
        let mut command = self.java(&["-Xmx128m", "-XX:TieredStopAtLevel=1"]);
        command.args(["kafka.tools.StorageTool", "format", "--cluster-id", "bWF5YS10ZXN0LWNsdXN0ZQ", "--config"]);
        command.arg(self.data.path().join("broker.properties"));
        command.args(["--add-scram", &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]")]);
        let status = command.status().unwrap_or_else(|error| no_java(&error));
        assert!(status.success(), "the broker's folder was not made: {}", tail(&self.data.path().join("broker.log")));
    }

    fn java(&self, options: &[&str]) -> Command {
        java(options, &self.data.path().join("broker.log"))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command of Kafka's classes that writes to that log.
fn java(options: &[&str], log: &Path) -> Command {
    let mut classes = workspace::part(Part::Kafka).into_os_string();
    classes.push("/*");
    let log = File::options().create(true).append(true).open(log).expect("our own folder can be written");
    let mut command = Command::new("java");
    command.args(options).arg("-cp").arg(classes).stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a file has more than one handle")).stderr(log);
    command
}

/// Whether so many brokers are there. librdkafka waits in its own thread.
async fn answers(servers: String, brokers: usize) -> Option<()> {
    let ask = move || {
        let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", servers).create().ok()?;
        let metadata = client.fetch_metadata(None, Duration::from_secs(2)).ok()?;
        (metadata.brokers().len() >= brokers).then_some(())
    };
    tokio::task::spawn_blocking(ask).await.ok()?
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn no_java(error: &io::Error) -> ! {
    panic!("java: {error}: run `./maya test`, which installs it")
}

fn config(plaintext: u16, controller: u16, sasl_ssl: u16, data: &Scratch, pem: &Path) -> String {
    let (logs, pem) = (data.path().join("logs"), pem.display());
    let jaas = "org.apache.kafka.common.security";
    format!(
        r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plaintext},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{sasl_ssl}
advertised.listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_SSL://127.0.0.1:{sasl_ssl}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
ssl.keystore.type=PEM
ssl.keystore.location={pem}
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={jaas}.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config={jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";
"#,
        logs.display()
    )
}
