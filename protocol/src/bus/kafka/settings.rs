//! How to reach a cluster, and what librdkafka is told.

use super::{membership::TOLD_EVERY, token::TokenSource};
use crate::bus::{BusError, MAX_ENVELOPE, MAX_EVENT_PAYLOAD, TopicSettings};
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

/// The largest message a topic must take: a payload, its envelope, and what a batch adds.
pub(super) const MAX_MESSAGE_BYTES: usize = MAX_EVENT_PAYLOAD + MAX_ENVELOPE + 4096;
/// How much of domain events may wait to be sent, in bytes.
const EVENT_QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// How long a domain event may wait for its acknowledgement before `publish` gives up.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a media message may wait; older is of no use to a live talk, and the edge has long seen the back-pressure.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(30);

/// How the connection is secured, by Kafka's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated; for loopback.
    #[default]
    Plaintext,
    /// Encrypted.
    Ssl,
    /// Authenticated only; for private networks.
    SaslPlaintext,
    /// Encrypted and authenticated.
    SaslSsl,
}

impl SecurityProtocol {
    fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }
    fn is_sasl(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}
impl FromStr for SecurityProtocol {
    type Err = BusError;
    fn from_str(text: &str) -> Result<Self, BusError> {
        use SecurityProtocol::*;
        let found = [Plaintext, Ssl, SaslPlaintext, SaslSsl].into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| BusError::Invalid(format!("security protocol `{text}` is unknown")))
    }
}

/// How we authenticate, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// Name and password.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Salted challenge and response.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge and response.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token from a [`TokenSource`].
    #[serde(rename = "OAUTHBEARER")]
    OAuthBearer,
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            SaslMechanism::OAuthBearer => "OAUTHBEARER",
        }
    }
}
impl FromStr for SaslMechanism {
    type Err = BusError;
    fn from_str(text: &str) -> Result<Self, BusError> {
        use SaslMechanism::*;
        let found = [Plain, ScramSha256, ScramSha512, OAuthBearer].into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| BusError::Invalid(format!("SASL mechanism `{text}` is unknown")))
    }
}

/// How to reach a cluster. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// How the connection is secured.
    pub security_protocol: SecurityProtocol,
    /// How we authenticate; needed with the two SASL protocols.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// The user; with OAUTHBEARER and Google's tokens, the service account's e-mail address.
    pub username: Option<String>,
    /// The password of PLAIN and SCRAM.
    pub password: Option<String>,
    /// The authority that signed the brokers' certificates, in PEM; the system's where absent.
    pub ca_file: Option<PathBuf>,
    /// Partitions and replication of topics we create.
    pub topics: TopicSettings,
    /// What we call ourselves in the brokers' logs and quotas.
    pub client_id: String,
    /// How long a silent group member is waited for.
    pub session_timeout: Duration,
    /// How long a group's member may be away from its group before it is replaced; longer than the session's time.
    pub membership_patience: Duration,
    /// How long one question to the cluster may take.
    pub request_timeout: Duration,
    /// How much media may wait to be sent, in bytes, before `send` says [`BusError::Backlog`].
    pub media_queue_bytes: usize,
    /// Where OAUTHBEARER tokens come from; Google's own where absent.
    pub token_source: Option<Arc<dyn TokenSource>>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".into(),
            security_protocol: SecurityProtocol::default(),
            sasl_mechanism: None,
            username: None,
            password: None,
            ca_file: None,
            topics: TopicSettings::default(),
            client_id: "maya".into(),
            session_timeout: Duration::from_secs(6),
            membership_patience: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            media_queue_bytes: 64 * 1024 * 1024,
            token_source: None,
        }
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("security_protocol", &self.security_protocol)
            .field("sasl_mechanism", &self.sasl_mechanism)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("ca_file", &self.ca_file)
            .field("topics", &self.topics)
            .field("client_id", &self.client_id)
            .field("session_timeout", &self.session_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("media_queue_bytes", &self.media_queue_bytes)
            .field("token_source", &self.token_source.as_ref().map(|_| "…"))
            .finish()
    }
}

impl KafkaSettings {
    /// Finds what cannot work before anything is connected.
    pub fn validate(&self) -> Result<(), BusError> {
        let wrong = if self.brokers.trim().is_empty() {
            "no brokers are named"
        } else if self.security_protocol.is_sasl() && self.sasl_mechanism.is_none() {
            "the security protocol needs a SASL mechanism"
        } else if !self.security_protocol.is_sasl() && self.sasl_mechanism.is_some() {
            "a SASL mechanism needs security protocol SASL_SSL or SASL_PLAINTEXT"
        } else if self.needs_password() && (self.username.is_none() || self.password.is_none()) {
            "the SASL mechanism needs a username and a password"
        } else if self.ca_file.as_ref().is_some_and(|file| !file.is_file()) {
            "the CA file is not there"
        } else {
            return Ok(());
        };
        Err(BusError::Invalid(wrong.into()))
    }

    fn needs_password(&self) -> bool {
        self.sasl_mechanism.is_some_and(|mechanism| mechanism != SaslMechanism::OAuthBearer)
    }

    /// What every client is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("security.protocol", self.security_protocol.name())
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("socket.connection.setup.timeout.ms", "5000")
            // a request that a half-open way has swallowed is made again while its messages are still of use: by default
            // it is waited for for a minute, twice as long as media may wait
            .set("socket.timeout.ms", "5000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
        if let Some(mechanism) = self.sasl_mechanism {
            config.set("sasl.mechanism", mechanism.name());
        }
        if self.needs_password() {
            config.set("sasl.username", self.username.as_deref().unwrap_or_default());
            config.set("sasl.password", self.password.as_deref().unwrap_or_default());
        }
        if let Some(file) = &self.ca_file {
            config.set("ssl.ca.location", file.to_string_lossy());
        }
        config
    }

    pub(super) fn events_producer(&self) -> ClientConfig {
        self.producer(5, EVENT_TIMEOUT.min(self.request_timeout), EVENT_QUEUE_BYTES)
    }

    pub(super) fn media_producer(&self) -> ClientConfig {
        self.producer(1, MEDIA_TIMEOUT, self.media_queue_bytes)
    }

    fn producer(&self, linger_ms: u32, timeout: Duration, queue_bytes: usize) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", linger_ms.to_string())
            .set("compression.type", "none")
            .set("delivery.timeout.ms", timeout.as_millis().to_string())
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", (queue_bytes / 1024).max(1).to_string());
        config
    }

    /// What every consumer is told: answer at once, hold little.
    fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "16384");
        config
    }

    pub(super) fn group_member(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer(group);
        let session = self.session_timeout.as_millis();
        config
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "500")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.to_string())
            .set("statistics.interval.ms", TOLD_EVERY.as_millis().to_string())
            .set("heartbeat.interval.ms", (session / 3).clamp(100, 3000).to_string());
        config
    }

    /// A reader joins no group, but librdkafka's consumer must have a group's name.
    pub(super) fn partition_reader(&self) -> ClientConfig {
        let mut config = self.consumer(&format!("{}-reader", self.client_id));
        config.set("enable.auto.commit", "false");
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let settings = KafkaSettings { password: Some("s3cret".into()), ..KafkaSettings::default() };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn what_cannot_work_is_found_before_connecting() {
        let sasl = KafkaSettings { security_protocol: SecurityProtocol::SaslSsl, ..KafkaSettings::default() };
        let plain = KafkaSettings { sasl_mechanism: Some(SaslMechanism::Plain), ..sasl.clone() };
        for wrong in [sasl, plain, KafkaSettings { brokers: " ".into(), ..KafkaSettings::default() }] {
            assert!(matches!(wrong.validate(), Err(BusError::Invalid(_))), "{wrong:?}");
        }
        assert!(KafkaSettings::default().validate().is_ok());
    }

    #[test]
    fn names_are_kafkas() {
        for name in ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] {
            assert_eq!(name.parse::<SecurityProtocol>().unwrap().name(), name);
        }
        for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
            assert_eq!(name.parse::<SaslMechanism>().unwrap().name(), name);
        }
        assert!("plain".parse::<SaslMechanism>().is_err());
    }
}
