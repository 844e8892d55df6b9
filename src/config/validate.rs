//! What no single key shows: settings that do not go together, found before a port is bound.

mod models;

use super::{Config, ConfigErrors, Problem, Role, SaslMechanism, Secret};
use maya_gateway::languages::is_tag;
use std::collections::HashMap;

/// What was found out about a configuration that may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Shorter keys are guessed.
const SHORTEST_KEY: usize = 16;
/// Shorter pieces of an answer are no words.
const SHORTEST_PIECE_MS: u64 = 1_000;

impl Config {
    /// Checks the settings against one another, for a process that plays these roles.
    pub fn check(&self, roles: &[Role]) -> Result<Checked, ConfigErrors> {
        let mut check = Check::of(self, roles.len() < Role::ALL.len());
        check.environment(roles);
        check.ports(roles);
        check.parts();
        check.languages();
        check.models();
        check.kafka();
        check.redis();
        check.numbers();
        if check.problems.is_empty() {
            Ok(Checked { warnings: check.warnings })
        } else {
            Err(ConfigErrors(check.problems))
        }
    }
}

struct Check<'a> {
    config: &'a Config,
    split: bool,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Check<'a> {
    fn of(config: &'a Config, split: bool) -> Self {
        Self { config, split, problems: Vec::new(), warnings: Vec::new() }
    }
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }

    fn environment(&mut self, roles: &[Role]) {
        let config = self.config;
        let development = config.is_development();
        if let Some(name) = &config.env
            && (name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        {
            self.wrong("env", "must be letters, digits and hyphens");
        }
        for role in roles.iter().filter(|role| !config.listen(**role).ip().is_loopback()) {
            if development {
                let listen = config.listen(*role);
                self.warnings
                    .push(format!("{role} listens on {listen}, which other machines can reach, in development"));
            }
        }
        if self.split {
            let shared = [
                ("database.url", config.database.url.is_some()),
                ("kafka.brokers", config.kafka.brokers.is_some()),
                ("redis.url", config.redis.url.is_some()),
            ];
            for (key, present) in shared {
                let message =
                    "is needed when roles run in processes of their own: the embedded part serves one process";
                match (present, development) {
                    (true, _) => {}
                    (false, true) => self.warnings.push(format!("{key} {message}")),
                    (false, false) => self.wrong(key, message),
                }
            }
            if config.join.key.is_none() {
                let message = "is needed when roles run in processes of their own, the same in each";
                if development {
                    self.warnings.push(format!("join.key {message}; the data dir's is taken"));
                } else {
                    self.wrong("join.key", message);
                }
            }
        }
        let keys = [
            ("join.key", &config.join.key),
            ("secrets.key", &config.secrets.key),
            ("node.secret", &config.node.secret),
            ("auth.jwt_secret", &config.auth.jwt_secret),
        ];
        for (key, secret) in keys {
            if secret.as_ref().is_some_and(|secret| secret.expose().len() < SHORTEST_KEY) {
                if development {
                    self.warnings.push(format!("{key} is shorter than {SHORTEST_KEY} characters"));
                } else {
                    self.wrong(key, format!("must have {SHORTEST_KEY} characters or more"));
                }
            }
        }
        if !development && roles.contains(&Role::Gateway) {
            match &config.edge.public_url {
                None => self.wrong("edge.public_url", "is needed outside development: it is the base of join links"),
                Some(url) if url.scheme() != "https" => {
                    self.wrong("edge.public_url", "must be https outside development")
                }
                Some(_) => {}
            }
        }
    }

    fn ports(&mut self, roles: &[Role]) {
        let mut taken: HashMap<u16, Vec<(String, std::net::SocketAddr)>> = HashMap::new();
        let listens = roles.iter().map(|role| (format!("{role}.listen"), self.config.listen(*role)));
        let listens: Vec<_> = listens.chain([("node.listen".to_owned(), self.config.node.listen)]).collect();
        for (key, listen) in listens.into_iter().filter(|(_, listen)| listen.port() != 0) {
            let others = taken.entry(listen.port()).or_default();
            let clash = others.iter().find(|(_, other)| {
                other.ip() == listen.ip() || other.ip().is_unspecified() || listen.ip().is_unspecified()
            });
            if let Some((other, _)) = clash {
                let message = format!("is the same address as {other}");
                self.problems.push(Problem::new(&key, message));
            }
            others.push((key, listen));
        }
    }

    fn parts(&mut self) {
        let config = self.config;
        self.scheme("database.url", &config.database.url, &["postgres", "postgresql"]);
        self.scheme("redis.url", &config.redis.url, &["redis", "rediss"]);
        self.scheme("mail.smtp_url", &config.mail.smtp_url, &["smtp", "smtps"]);
        if let Some(url) = &config.blobs.url
            && !["file", "gs"].contains(&url.scheme())
        {
            self.wrong("blobs.url", "must begin with file:// or gs://");
        }
        for (key, url) in [
            ("gateway.public_url", &config.gateway.public_url),
            ("edge.public_url", &config.edge.public_url),
            ("llm.url", &config.llm.url),
            ("llm.planner.url", &config.llm.planner.url),
            ("llm.interviewer.url", &config.llm.interviewer.url),
            ("llm.assessor.url", &config.llm.assessor.url),
            ("auth.jwks_url", &config.auth.jwks_url),
        ] {
            if url.as_ref().is_some_and(|url| !["http", "https"].contains(&url.scheme())) {
                self.wrong(key, "must begin with http:// or https://");
            }
        }
        if config.auth.jwt_secret.is_some() && config.auth.jwks_url.is_some() {
            self.wrong("auth.jwt_secret", "cannot be used beside auth.jwks_url");
        }
        if config.cache_dir.starts_with(&config.data_dir) {
            self.wrong("cache_dir", "must not lie under the data dir");
        }
    }

    fn scheme(&mut self, key: &str, url: &Option<Secret>, schemes: &[&str]) {
        let Some(url) = url else { return };
        let good = url::Url::parse(url.expose()).is_ok_and(|url| schemes.contains(&url.scheme()));
        if !good {
            let shown: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
            self.wrong(key, format!("must be a URL that begins with {}", shown.join(" or ")));
        }
    }

    /// The voices of both kinds speak English.
    fn languages(&mut self) {
        let languages = &self.config.voices.languages;
        let is_english = |tag: &String| tag.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"));
        if languages.is_empty() || !languages.iter().all(|tag| is_tag(tag)) {
            self.wrong("voices.languages", "must be language tags such as en or en-US, one at least");
        } else if !languages.iter().all(is_english) {
            self.wrong("voices.languages", "must be English (en, en-US, …): the voices speak nothing else");
        }
    }

    fn kafka(&mut self) {
        let kafka = &self.config.kafka;
        if kafka.brokers.is_none() {
            if kafka.sasl_mechanism.is_some() || kafka.security_protocol.is_some() {
                self.wrong("kafka.brokers", "is needed by the other settings of kafka");
            }
            return;
        }
        match (kafka.protocol().is_sasl(), kafka.sasl_mechanism) {
            (true, None) => self.wrong("kafka.sasl_mechanism", "is needed by that security_protocol"),
            (false, Some(_)) => {
                self.wrong("kafka.security_protocol", "must be SASL_SSL or SASL_PLAINTEXT with a sasl_mechanism")
            }
            (true, Some(mechanism)) if mechanism != SaslMechanism::OAuthBearer => {
                for (key, present) in [
                    ("kafka.sasl_username", kafka.sasl_username.is_some()),
                    ("kafka.sasl_password", kafka.sasl_password.is_some()),
                ] {
                    if !present {
                        self.wrong(key, format!("is needed by {}", mechanism.as_str()));
                    }
                }
            }
            _ => {}
        }
        if kafka.ca_file.as_ref().is_some_and(|file| !file.is_file()) {
            self.wrong("kafka.ca_file", "is not a file");
        }
    }

    fn redis(&mut self) {
        let redis = &self.config.redis;
        let Some(file) = &redis.ca_file else { return };
        if !redis.url.as_ref().is_some_and(|url| url.expose().starts_with("rediss://")) {
            self.wrong("redis.ca_file", "goes with a rediss:// url only");
        }
        if !file.is_file() {
            self.wrong("redis.ca_file", "is not a file");
        }
    }

    fn numbers(&mut self) {
        let config = self.config;
        let positive = [
            ("database.max_connections", u64::from(config.database.max_connections)),
            ("bus.media_partitions", u64::from(config.bus.media_partitions)),
            ("bus.replication", config.bus.replication.max(0) as u64),
            ("interview.silence_seconds", config.interview.silence_seconds),
            ("interview.max_silence_ms", config.interview.max_silence_ms),
            ("budget.max_sessions", u64::from(config.budget.max_sessions)),
            ("budget.max_sessions_per_tenant", u64::from(config.budget.max_sessions_per_tenant)),
            ("budget.max_lag_ms", config.budget.max_lag_ms),
            ("budget.max_memory_mb", config.budget.max_memory_mb.unwrap_or(u64::MAX)),
            ("limits.max_sockets", config.limits.max_sockets as u64),
            ("limits.max_frame_bytes", config.limits.max_frame_bytes as u64),
            ("limits.max_body_bytes", config.limits.max_body_bytes as u64),
            ("limits.requests_per_minute", u64::from(config.limits.requests_per_minute)),
        ];
        for (key, _) in positive.into_iter().filter(|(_, value)| *value == 0) {
            self.wrong(key, "must be greater than 0");
        }
        if config.interview.max_piece_ms < SHORTEST_PIECE_MS {
            self.wrong("interview.max_piece_ms", "must be at least 1000");
        }
        if config.limits.max_large_frame_bytes < config.limits.max_frame_bytes {
            self.wrong("limits.max_large_frame_bytes", "must not be smaller than max_frame_bytes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(env: &[(&str, &str)]) -> Config {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_from(None, env).unwrap()
    }
    fn keys(result: Result<Checked, ConfigErrors>) -> Vec<String> {
        result.unwrap_err().0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn one_process_needs_nothing() {
        assert_eq!(config(&[]).check(&Role::ALL), Ok(Checked::default()));
        let reachable = config(&[("MAYA_ENV", "development"), ("MAYA_EDGE__LISTEN", "0.0.0.0:8080")]);
        assert_eq!(reachable.check(&Role::ALL).unwrap().warnings.len(), 1);
    }

    #[test]
    fn split_roles_need_what_they_share() {
        let roles = [Role::Gateway, Role::Edge];
        let production = [("MAYA_ENV", "production")];
        let missing = keys(config(&production).check(&roles));
        assert_eq!(missing, ["database.url", "kafka.brokers", "redis.url", "join.key", "edge.public_url"]);
        assert_eq!(config(&[]).check(&roles).unwrap().warnings.len(), 4);
    }

    #[test]
    fn a_language_that_no_voice_speaks_is_refused_at_once() {
        for good in ["en", "en-IN,EN-us"] {
            assert!(config(&[("MAYA_VOICES__LANGUAGES", good)]).check(&Role::ALL).is_ok(), "{good}");
        }
        for wrong in ["de-DE,en", "en,", "english language"] {
            let found = keys(config(&[("MAYA_VOICES__LANGUAGES", wrong)]).check(&Role::ALL));
            assert_eq!(found, ["voices.languages"], "{wrong}");
        }
    }

    #[test]
    fn kafka_is_complete_and_ports_differ() {
        let wrong = config(&[
            ("MAYA_KAFKA__BROKERS", "b:1"),
            ("MAYA_KAFKA__SASL_MECHANISM", "PLAIN"),
            ("MAYA_KAFKA__SASL_USERNAME", "u"),
            ("MAYA_KAFKA__CA_FILE", "/nowhere.pem"),
            ("MAYA_EDGE__LISTEN", "0.0.0.0:3009"),
            ("MAYA_ENV", "development"),
            ("MAYA_DATABASE__URL", "mysql://x"),
            ("MAYA_LLM__URL", "http://127.0.0.1:1/v1"),
        ]);
        let found = keys(wrong.check(&Role::ALL));
        for key in ["kafka.sasl_password", "kafka.ca_file", "edge.listen", "database.url", "llm.planner.model"] {
            assert!(found.iter().any(|found| found == key), "{key} in {found:?}");
        }
        let plain = [("MAYA_REDIS__URL", "redis://r"), ("MAYA_REDIS__CA_FILE", "/nowhere.pem")];
        assert_eq!(keys(config(&plain).check(&Role::ALL)), ["redis.ca_file", "redis.ca_file"]);
        assert!(config(&[("MAYA_REDIS__URL", "rediss://r")]).check(&Role::ALL).is_ok());
        let oauth = [("MAYA_KAFKA__BROKERS", "b:1"), ("MAYA_KAFKA__SASL_MECHANISM", "OAUTHBEARER")];
        assert!(config(&oauth).check(&Role::ALL).is_ok());
        let free = [("MAYA_EDGE__LISTEN", "127.0.0.1:0"), ("MAYA_GATEWAY__LISTEN", "127.0.0.1:0")];
        assert!(config(&free).check(&Role::ALL).is_ok());
    }
}
