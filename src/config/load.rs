//! Defaults, then a file, then the environment; and every error of both, each with where it came from.

use super::{Config, suggest};
use figment::{
    Figment,
    error::Kind,
    providers::{Format, Toml},
};
use std::{fmt, path::Path};
use toml::{Table, Value};

/// The defaults, as documented text.
pub(super) const DEFAULTS: &str = include_str!("../../config.default.toml");
const PREFIX: &str = "MAYA_";
/// Not settings: what the tests tell one another, and the key that commands call the API with.
const IGNORED: [&str; 2] = ["MAYA_TEST_", "MAYA_API_KEY"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, e.g. `kafka.brokers`.
    pub key: String,
    /// What is wrong with it; carries no secret.
    pub message: String,
}
impl Problem {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into() }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is not usable:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {}: {}", problem.key, problem.message))
    }
}

/// Settings from one place.
struct Layer {
    name: String,
    table: Table,
    /// Whether its keys are written as environment variables.
    is_env: bool,
}

impl Config {
    /// Reads a file (if one is given) and this process's environment over the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        Self::load_from(file, env)
    }

    /// The same with a given environment.
    pub fn load_from(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let mut layers = Vec::new();
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
            match text.and_then(|text| text.parse::<Table>().map_err(|error| error.message().to_owned())) {
                Ok(table) => layers.push(Layer { name, table, is_env: false }),
                Err(message) => problems.push(Problem::new(&name, message)),
            }
        }
        layers.push(Layer { name: "environment".into(), table: from_env(env, &mut problems), is_env: true });
        loop {
            let error = match merged(&layers).extract::<Config>() {
                Ok(config) if problems.is_empty() => return Ok(config),
                Ok(_) => return Err(ConfigErrors(problems)),
                Err(error) => error,
            };
            // what is wrong is said and taken out, then we look again: so all errors come at once
            for error in error {
                let mut path: Vec<String> = error.path.clone();
                if let Kind::UnknownField(name, _) = &error.kind
                    && path.last() != Some(name)
                {
                    path.push(name.clone());
                }
                let found = layers.iter_mut().rev().find_map(|layer| {
                    let whole = remove(&mut layer.table, &path);
                    whole.then(|| (layer.name.clone(), layer.is_env))
                });
                let Some((from, is_env)) = found else {
                    problems.push(Problem::new(&path.join("."), error.kind.to_string()));
                    return Err(ConfigErrors(problems));
                };
                let key = if is_env { variable(&path) } else { path.join(".") };
                let source = if is_env { String::new() } else { format!(" (in {from})") };
                problems.push(Problem { key, message: format!("{}{source}", describe(&error.kind, is_env)) });
            }
        }
    }
}

fn merged(layers: &[Layer]) -> Figment {
    let figment = Figment::from(Toml::string(DEFAULTS));
    layers.iter().fold(figment, |figment, layer| figment.merge(Toml::string(&layer.table.to_string())))
}

/// Says what is wrong without the value, which may be a secret.
fn describe(kind: &Kind, is_env: bool) -> String {
    match kind {
        Kind::UnknownField(name, known) => match suggest::nearest(name, known) {
            Some(near) if is_env => format!("no such key; did you mean {}?", near.to_uppercase()),
            Some(near) => format!("no such key; did you mean {near}?"),
            None => format!("no such key; there are {}", known.join(", ")),
        },
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => format!("must be {}", plainly(expected)),
        Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
        Kind::MissingField(name) => format!("{name} is missing"),
        other => other.to_string(),
    }
}

/// Rust's names of types as an operator would say them.
fn plainly(expected: &impl ToString) -> String {
    match expected.to_string().as_str() {
        "i32" | "u32" | "u64" | "usize" => "a whole number in range".to_owned(),
        name if name.starts_with("struct ") => "a section: set the keys in it".to_owned(),
        "a boolean" | "bool" => "true or false".to_owned(),
        other => other.to_owned(),
    }
}

fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

/// Takes a key out; false if it was not there. A section given as a value counts as its key.
fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(key).is_some(),
        [section, rest @ ..] => match table.get_mut(section) {
            Some(Value::Table(inner)) => remove(inner, rest),
            Some(_) => table.remove(section).is_some(),
            None => false,
        },
    }
}

/// The environment as a table. A value is what its default is: a number, a switch or a list where the default is one,
/// else text as it stands, so that a password of digits stays a password. An empty variable counts as absent.
fn from_env(env: impl IntoIterator<Item = (String, String)>, problems: &mut Vec<Problem>) -> Table {
    let defaults: Table = DEFAULTS.parse().expect("the defaults are TOML");
    let mut table = Table::new();
    for (name, text) in env {
        let Some(key) = name.strip_prefix(PREFIX).filter(|_| !IGNORED.iter().any(|other| name.starts_with(other)))
        else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let path: Vec<String> = key.to_lowercase().split("__").map(str::to_owned).collect();
        match typed(default_at(&defaults, &path), text) {
            Ok(value) => insert(&mut table, &path, value),
            Err(expected) => problems.push(Problem::new(&name, format!("must be {expected}"))),
        }
    }
    table
}

fn default_at<'a>(defaults: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, sections) = path.split_last()?;
    let table = sections.iter().try_fold(defaults, |table, section| table.get(section)?.as_table())?;
    table.get(last)
}

fn typed(default: Option<&Value>, text: String) -> Result<Value, &'static str> {
    match default {
        Some(Value::Boolean(_)) => match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err("true or false"),
        },
        Some(Value::Array(_)) => {
            Ok(Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()))
        }
        Some(Value::Integer(_)) => text.trim().parse().map(Value::Integer).map_err(|_| "a whole number"),
        _ => Ok(Value::String(text)),
    }
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [section, rest @ ..] => {
            let inner = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Agent, Role, SecurityProtocol};
    use std::io::Write as _;

    fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(file.as_bytes()).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_from(Some(on_disk.path()), env)
    }

    #[test]
    fn the_defaults_are_the_contracts() {
        let config = load("", &[]).unwrap();
        let ports = Role::ALL.map(|role| config.listen(role).port());
        assert_eq!(ports, [3009, 7777, 7778, 7779, 8080, 7780, 7781]);
        assert!(config.is_development() && config.startup.migrate && config.startup.create_topics);
        assert_eq!((config.data_dir.to_str(), config.cache_dir.to_str()), (Some(".maya/data"), Some(".maya/cache")));
        assert_eq!((config.interview.grace_seconds, config.interview.batch_debounce_ms), (300, 1500));
        let shown: Table = config.to_redacted_toml().parse().unwrap();
        assert_eq!(shown["env"].as_str(), Some("development"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_text_stays_text() {
        let file = "[kafka]\nbrokers = \"a:1\"\nsasl_username = \"u\"\n[llm]\nurl = \"http://m/v1\"\napi_key = \"k\"";
        let config = load(
            file,
            &[
                ("MAYA_KAFKA__BROKERS", "b:2"),
                ("MAYA_KAFKA__SASL_PASSWORD", "00123"),
                ("MAYA_KAFKA__SASL_MECHANISM", "SCRAM-SHA-512"),
                ("MAYA_STARTUP__MIGRATE", "false"),
                ("MAYA_VOICES__LANGUAGES", "en-GB, en"),
                ("MAYA_GATEWAY__LISTEN", "0.0.0.0:0"),
                ("MAYA_LLM__PLANNER__MODEL", "17"),
                ("MAYA_REDIS__URL", ""),
                ("MAYA_TEST_ANYTHING", "x"),
            ],
        )
        .unwrap();
        assert_eq!(config.kafka.brokers.as_deref(), Some("b:2"));
        assert_eq!(config.kafka.sasl_username.as_deref(), Some("u"));
        assert_eq!(config.kafka.sasl_password.as_ref().unwrap().expose(), "00123");
        assert_eq!(config.kafka.protocol(), SecurityProtocol::SaslSsl);
        assert!(!config.startup.migrate && config.redis.url.is_none());
        assert_eq!(config.voices.languages, ["en-GB", "en"]);
        assert!(!config.is_development(), "another machine can reach it");
        assert_eq!(config.llm.of(Agent::Planner).model.as_deref(), Some("17"));
        let mut own = config.llm.clone();
        own.assessor.url = Some("http://elsewhere/v1".parse().unwrap());
        assert!(own.of(Agent::Assessor).api_key.is_none(), "a key stays with its endpoint");
        assert!(own.of(Agent::Planner).api_key.is_some());
        let shown = config.to_redacted_toml() + &format!("{config:?}");
        assert!(!shown.contains("00123") && shown.contains("[redacted]"));
    }

    #[test]
    fn all_errors_come_at_once_with_their_names() {
        let file = "kafkas = 1\n[edge]\nlisten = \"nowhere\"\n[bus]\nmedia_partition = 3\nreplication = \"two\"";
        let errors = load(
            file,
            &[
                ("MAYA_KAFKA__BROKER", "b"),
                ("MAYA_STARTUP__MIGRATE", "maybe"),
                ("MAYA_LIMITS__MAX_SOCKETS", "many"),
                ("MAYA_KAFKA__SASL_MECHANISM", "hunter2"),
                ("MAYA_GATEWAY", "x"),
            ],
        )
        .unwrap_err();
        let said = errors.to_string();
        let has = |key: &str, message: &str| {
            assert!(errors.0.iter().any(|p| p.key == key && p.message.contains(message)), "{key}: {message} in {said}");
        };
        has("kafkas", "did you mean kafka?");
        has("edge.listen", "socket address");
        has("bus.media_partition", "did you mean media_partitions?");
        has("bus.replication", "whole number");
        has("MAYA_KAFKA__BROKER", "did you mean BROKERS?");
        has("MAYA_STARTUP__MIGRATE", "true or false");
        has("MAYA_LIMITS__MAX_SOCKETS", "whole number");
        has("MAYA_KAFKA__SASL_MECHANISM", "one of PLAIN");
        has("MAYA_GATEWAY", "a section");
        assert_eq!(errors.0.len(), 9, "{said}");
        assert!(!said.contains("hunter2"), "values may be secrets");
        let missing = Config::load_from(Some(Path::new("/nowhere/maya.toml")), []).unwrap_err();
        assert_eq!(missing.0[0].key, "/nowhere/maya.toml");
    }
}
