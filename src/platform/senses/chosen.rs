//! The voice that this machine was found to keep up with: finding out takes seconds, so it is kept with what it was
//! measured on, and found out anew where that has changed.

use maya_providers::local::VoiceChoice;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

/// `<data_dir>/voice`.
pub struct Chosen {
    file: PathBuf,
    measured_on: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    /// As the engine names it, e.g. `kokoro/af_heart`.
    voice: String,
    /// Seconds of Kokoro's work a second of speech.
    kokoro_rtf: f64,
    measured_on: String,
}

impl Chosen {
    /// For this machine with these parts.
    pub fn new<'a>(data_dir: &Path, parts: impl Iterator<Item = &'a Path>) -> Self {
        let mut names: Vec<_> = parts.filter_map(|part| part.file_name()?.to_str()).collect();
        names.sort_unstable();
        let measured_on = format!("{}; {}", machine(), names.join(", "));
        Self { file: data_dir.join("voice"), measured_on }
    }

    /// What was chosen, if it was measured on the same.
    pub fn recall(&self) -> Option<VoiceChoice> {
        let kept: Kept = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        let engine = kept.voice.split('/').next().unwrap_or_default();
        match engine {
            _ if kept.measured_on != self.measured_on => None,
            "kokoro" => Some(VoiceChoice::Kokoro),
            "piper" => Some(VoiceChoice::Piper),
            _ => None,
        }
    }

    /// Keeps it.
    pub fn keep(&self, voice: &str, kokoro_rtf: f64) {
        let kept = Kept { voice: voice.to_owned(), kokoro_rtf, measured_on: self.measured_on.clone() };
        let written = serde_json::to_vec_pretty(&kept).map_err(std::io::Error::other).and_then(|json| {
            self.file.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&self.file, json)
        });
        if let Err(error) = written {
            tracing::warn!(error = %error, "the choice of a voice is not kept: the next start measures again");
        }
    }
}

/// Its processors.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    format!("{cores} x {}", model.trim_start_matches([' ', '\t', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_holds_for_what_it_was_measured_on() {
        let dir = tempfile::tempdir().unwrap();
        let of = |part: &'static str| Chosen::new(dir.path(), std::iter::once(Path::new(part)));
        assert_eq!(of("kokoro-1").recall(), None);
        of("kokoro-1").keep("kokoro/af_heart", 0.4);
        assert_eq!(of("kokoro-1").recall(), Some(VoiceChoice::Kokoro));
        assert_eq!(of("kokoro-2").recall(), None, "another model is measured again");
        of("kokoro-2").keep("piper/joe", 0.9);
        assert_eq!(of("kokoro-2").recall(), Some(VoiceChoice::Piper));
        fs::write(dir.path().join("voice"), "piper/joe").unwrap();
        assert_eq!(of("kokoro-2").recall(), None, "what an older release kept says nothing of the machine");
    }
}
