//! The sections of the configuration; `config.default.toml` says what each key means to an operator.

use super::Secret;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// `[database]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// PostgreSQL with pgvector; absent: the private server.
    pub url: Option<Secret>,
    /// Of this process.
    pub max_connections: u32,
}

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Bootstrap servers; absent: the embedded bus.
    pub brokers: Option<String>,
    /// See [`Kafka::protocol`].
    pub security_protocol: Option<SecurityProtocol>,
    /// How we prove who we are.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// For PLAIN and SCRAM.
    pub sasl_username: Option<String>,
    /// For PLAIN and SCRAM.
    pub sasl_password: Option<Secret>,
    /// PEM; absent: the system's authorities.
    pub ca_file: Option<PathBuf>,
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Absent: the embedded registry.
    pub url: Option<Secret>,
    /// PEM, for `rediss://`; absent: Mozilla's list.
    pub ca_file: Option<PathBuf>,
}

/// `[llm]`: one model for all agents, and what an agent has of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// Where it thinks; see [`Llm::of`].
    pub kind: Option<ModelKind>,
    /// GGUF, for `local`; absent: the small model that is fetched.
    pub file: Option<PathBuf>,
    /// Of an OpenAI-compatible endpoint.
    pub url: Option<Url>,
    /// As the endpoint names it.
    pub model: Option<String>,
    /// Its bearer token.
    pub api_key: Option<Secret>,
    /// The planner's own.
    pub planner: Model,
    /// Maya's own.
    pub interviewer: Model,
    /// The assessor's own.
    pub assessor: Model,
}

/// A model; what is absent is taken from `[llm]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Where it thinks.
    pub kind: Option<ModelKind>,
    /// Of an OpenAI-compatible endpoint.
    pub url: Option<Url>,
    /// As the endpoint names it.
    pub model: Option<String>,
    /// Its bearer token.
    pub api_key: Option<Secret>,
}

/// Where a role listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Base of the REST calls that mails name; absent: the address the gateway listens on.
    pub public_url: Option<Url>,
}

/// `[edge]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Base of join links; absent: the address the edge listens on.
    pub public_url: Option<Url>,
}

/// `[join]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Signs join links.
    pub key: Option<Secret>,
}

/// `[startup]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Startup {
    /// Applies migrations.
    pub migrate: bool,
    /// Creates missing topics.
    pub create_topics: bool,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where other nodes call (gRPC).
    pub listen: SocketAddr,
    /// Host under which they reach us; absent: the listen address.
    pub advertise: Option<String>,
    /// Failure domain.
    pub zone: Option<String>,
    /// What nodes prove themselves with.
    pub secret: Option<Secret>,
}

/// `[secrets]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Seals what the database keeps secret.
    pub key: Option<Secret>,
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// HS256, for development.
    pub jwt_secret: Option<Secret>,
    /// Where RS256, ES256 and EdDSA keys are found.
    pub jwks_url: Option<Url>,
    /// The `iss` to require.
    pub issuer: Option<String>,
    /// The `aud` to require.
    pub audience: Option<String>,
}

/// `[bus]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Of the session-keyed topics.
    pub media_partitions: u32,
    /// Of topics that we create on Kafka.
    pub replication: i32,
}

/// `[voices]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voices {
    /// Real or scripted.
    pub kind: VoiceKind,
    /// Which voice is Maya's.
    pub maya: MayaVoice,
    /// What they speak (BCP 47); the first is assumed where a request names none.
    pub languages: Vec<String>,
}

/// `[interview]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interview {
    /// Silence after which a candidate is encouraged.
    pub silence_seconds: u64,
    /// Absence after which an interview is abandoned.
    pub grace_seconds: u64,
    /// Gap that ends an utterance of batch audio.
    pub batch_debounce_ms: u64,
    /// Silence that ends any utterance.
    pub max_silence_ms: u64,
    /// Longest piece in which speech that goes on is recorded.
    pub max_piece_ms: u64,
}

/// `[budget]`: what one interviewer takes; see [`maya_actors::placement::Budget`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Live sessions of one process.
    pub max_sessions: u32,
    /// Live sessions of one tenant, over all processes.
    pub max_sessions_per_tenant: u32,
    /// How late the runtime may wake what is due.
    pub max_lag_ms: u64,
    /// Resident; absent: three quarters of what the process may use.
    pub max_memory_mb: Option<u64>,
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// Absent: files under the data dir.
    pub smtp_url: Option<Secret>,
}

/// `[blobs]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// `file:` or `gs:`; absent: a folder under the data dir.
    pub url: Option<Url>,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of one edge.
    pub max_sockets: usize,
    /// Of an ordinary socket message.
    pub max_frame_bytes: usize,
    /// Of a batch AUDIO or VIDEO message.
    pub max_large_frame_bytes: usize,
    /// Of a REST body.
    pub max_body_bytes: usize,
    /// REST calls of one credential.
    pub requests_per_minute: u32,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter such as `info,maya_edge=debug`.
    pub level: String,
    /// JSON lines, or lines for people.
    pub json: bool,
}

/// How a broker is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kafka's own names")]
pub enum SecurityProtocol {
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
    #[serde(rename = "SSL")]
    Ssl,
    #[serde(rename = "SASL_PLAINTEXT")]
    SaslPlaintext,
    #[serde(rename = "SASL_SSL")]
    SaslSsl,
}
impl SecurityProtocol {
    /// As librdkafka is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
    /// Whether a mechanism is needed.
    pub const fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How we prove to a broker who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kafka's own names")]
pub enum SaslMechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    #[serde(rename = "OAUTHBEARER")]
    OAuthBearer,
}
impl SaslMechanism {
    /// As librdkafka is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }
}

impl Kafka {
    /// The protocol in effect: credentials never travel in clear unless that is asked for.
    pub fn protocol(&self) -> SecurityProtocol {
        self.security_protocol.unwrap_or(match (self.sasl_mechanism, &self.ca_file) {
            (Some(_), _) => SecurityProtocol::SaslSsl,
            (None, Some(_)) => SecurityProtocol::Ssl,
            (None, None) => SecurityProtocol::Plaintext,
        })
    }
}

/// Which senses the process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoiceKind {
    /// The models on this machine.
    Local,
    /// Text as tones and back, for tests.
    Scripted,
}

/// Which voice is Maya's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum MayaVoice {
    Auto,
    Kokoro,
    Piper,
}

/// Where a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Nowhere: the deterministic engine thinks alone.
    None,
    /// Behind an OpenAI-compatible endpoint.
    OpenAi,
    /// On this machine.
    Local,
}

/// An agent that thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Agent {
    Planner,
    Interviewer,
    Assessor,
}

impl Llm {
    /// An agent's model in effect: its own, and the common one for what it does not name. A URL alone means an endpoint;
    /// nothing at all means no model. A key goes only to the endpoint it was given for.
    pub fn of(&self, agent: Agent) -> Model {
        let own = match agent {
            Agent::Planner => &self.planner,
            Agent::Interviewer => &self.interviewer,
            Agent::Assessor => &self.assessor,
        };
        let elsewhere = own.url.is_some() && own.url != self.url;
        let endpoint = |url: &Option<Url>| url.as_ref().map(|_| ModelKind::OpenAi);
        let kind = own.kind.or_else(|| endpoint(&own.url)).or(self.kind).or_else(|| endpoint(&self.url));
        Model {
            kind: Some(kind.unwrap_or(ModelKind::None)),
            url: own.url.clone().or_else(|| self.url.clone()),
            model: own.model.clone().or_else(|| self.model.clone()),
            api_key: own.api_key.clone().or_else(|| if elsewhere { None } else { self.api_key.clone() }),
        }
    }
}
