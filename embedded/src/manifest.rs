//! The list of parts: what each is, where it comes from, what it must hash to. The list itself is `manifest.toml`.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, str::FromStr, sync::LazyLock};

/// Something that maya needs and does not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// PostgreSQL with pgvector: `bin/postgres`, `bin/initdb`, `lib/`, `share/`, `libs/`.
    Postgres,
    /// ONNX Runtime: `libonnxruntime.so`.
    OnnxRuntime,
    /// Streaming speech recognition: `libmoonshine.so`, `tiny-en/`.
    Moonshine,
    /// The fast voice: `en_US-joe-medium.onnx`, `en_US-joe-medium.onnx.json`.
    Piper,
    /// The better voice: `kokoro.onnx`, `vocab.json`, `voices/af_heart.bin`, `voices/am_michael.bin`.
    Kokoro,
    /// Sentence embeddings: `model.onnx`, `vocab.txt`.
    MiniLm,
    /// Voice activity and end of turn: `silero_vad.onnx`, `smart-turn.onnx`.
    Turn,
    /// A small language model: `model.gguf`.
    Llm,
    /// The tests' Kafka broker: its jars.
    Kafka,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 9] = [
        Part::Postgres,
        Part::OnnxRuntime,
        Part::Moonshine,
        Part::Piper,
        Part::Kokoro,
        Part::MiniLm,
        Part::Turn,
        Part::Llm,
        Part::Kafka,
    ];
    /// What one process needs to hold an interview on this machine.
    pub const INTERVIEW: [Part; 7] =
        [Part::Postgres, Part::OnnxRuntime, Part::Moonshine, Part::Piper, Part::Kokoro, Part::MiniLm, Part::Turn];

    /// Whether only who asks for it by name gets it: it is large, and not every build can use it.
    pub fn is_optional(self) -> bool {
        self == Part::Llm
    }

    /// The name on the command line, in the manifest and in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Part::Postgres => "postgres",
            Part::OnnxRuntime => "onnxruntime",
            Part::Moonshine => "moonshine",
            Part::Piper => "piper",
            Part::Kokoro => "kokoro",
            Part::MiniLm => "minilm",
            Part::Turn => "turn",
            Part::Llm => "llm",
            Part::Kafka => "kafka",
        }
    }

    /// This part's entry in the manifest.
    pub fn entry(self) -> &'static Entry {
        MANIFEST.part.iter().find(|entry| entry.name == self.name()).expect("a test finds every part in the manifest")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Part::ALL
            .into_iter()
            .find(|part| part.name() == name)
            .ok_or_else(|| format!("no part is called {name:?}; there are {}", Part::ALL.map(Part::name).join(", ")))
    }
}

/// One part in the manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// See [`Part::name`].
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// Under which licence it comes.
    pub licence: String,
    /// SHA-256 of files as they lie in the part.
    #[serde(default)]
    pub check: BTreeMap<String, String>,
    /// Where it comes from, best first.
    pub source: Vec<Source>,
}

impl Entry {
    /// Bytes of download from the preferred source.
    pub fn download_bytes(&self) -> u64 {
        self.source.first().map_or(0, |source| source.package.iter().map(|package| package.size).sum())
    }

    /// Changes when anything that is fetched changes, so that a new manifest never takes an old folder for its own.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for package in self.source.iter().flat_map(|source| &source.package) {
            hash.update(format!("{} {} {:?}\n", package.spec, package.sha256, package.take));
        }
        hex::encode(&hash.finalize()[..4])
    }
}

/// A set of packages that together make a part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// In the order in which they are unpacked.
    pub package: Vec<Package>,
}

/// Who fetches a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// `python3 -m pip download`
    Pip,
    /// `npm pack`
    Npm,
    /// `mvn dependency:copy-dependencies`
    Maven,
    /// Nobody: it lies in this repository.
    Bundled,
}

/// One package of a source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Who fetches it.
    pub client: Client,
    /// Name and version, as that client writes it.
    pub spec: String,
    /// The file it comes as.
    pub file: String,
    /// Python's platform tag, for native code.
    #[serde(default)]
    pub platform: Option<String>,
    /// The Python version of the wheel, where its name has one. Ours need not be the same: no Python code is taken.
    #[serde(default)]
    pub python: Option<String>,
    /// Bytes of download.
    pub size: u64,
    /// SHA-256 of `file`.
    pub sha256: String,
    /// Pairs of (path inside, path in the part).
    pub take: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    part: Vec<Entry>,
}

static MANIFEST: LazyLock<Manifest> =
    LazyLock::new(|| toml::from_str(include_str!("../manifest.toml")).expect("a test reads the manifest"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_an_entry_with_checked_packages() {
        assert_eq!(MANIFEST.part.len(), Part::ALL.len());
        for part in Part::ALL {
            let entry = part.entry();
            assert_eq!(entry.name.parse::<Part>(), Ok(part));
            assert!(!entry.licence.is_empty() && !entry.source.is_empty(), "{part}");
            for package in entry.source.iter().flat_map(|source| &source.package) {
                let by_list = package.client == Client::Maven;
                assert!(by_list || package.sha256.len() == 64, "{}", package.spec);
            }
        }
    }

    #[test]
    fn an_unknown_part_is_answered_with_the_known_ones() {
        assert!("postgress".parse::<Part>().unwrap_err().contains("postgres, onnxruntime"));
    }
}
