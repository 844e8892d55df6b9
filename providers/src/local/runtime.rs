//! The one ONNX Runtime of the process: loaded once from a file, shared by every model that needs it.

use crate::ProviderError;
use ort::{environment::Environment, session::Session};
use parking_lot::Mutex;
use std::path::Path;

static RUNTIME: Mutex<Option<Environment>> = Mutex::new(None);

/// A handle to the shared runtime.
#[derive(Debug, Clone)]
pub struct Runtime(Environment);

impl Runtime {
    /// Loads `libonnxruntime.so` (>= 1.22). A process holds one: later calls answer with the first, whatever their path.
    pub fn load(library: &Path) -> Result<Self, ProviderError> {
        let mut shared = RUNTIME.lock();
        if let Some(runtime) = &*shared {
            return Ok(Self(runtime.clone()));
        }
        check_library(library)?;
        let runtime = ort::init_from(library)
            .map_err(|e| ProviderError::fatal("onnxruntime", e))?
            .with_telemetry(false)
            .build()
            .map_err(|e| ProviderError::fatal("onnxruntime", e))?;
        *shared = Some(runtime.clone());
        Ok(Self(runtime))
    }

    /// Opens a model on one thread: its caller's.
    pub fn session(&self, provider: &'static str, model: &Path) -> Result<Session, ProviderError> {
        self.session_on(1, provider, model)
    }

    /// Opens a model that computes on `threads` threads. They sleep while there is nothing to do: by default they would
    /// spin, and take the processor from the ear.
    pub fn session_on(&self, threads: usize, provider: &'static str, model: &Path) -> Result<Session, ProviderError> {
        let failed = |e: String| ProviderError::fatal(provider, format!("cannot load {}: {e}", model.display()));
        check_readable(provider, model)?;
        Session::builder(&self.0)
            .map_err(|e| failed(e.to_string()))?
            .with_intra_threads(threads)
            .map_err(|e| failed(e.to_string()))?
            .with_intra_op_spinning(false)
            .map_err(|e| failed(e.to_string()))?
            .with_inter_threads(1)
            .map_err(|e| failed(e.to_string()))?
            .commit_from_file(model)
            .map_err(|e| failed(e.to_string()))
    }
}

/// A missing or empty file, said in words that name it.
pub(super) fn check_readable(provider: &'static str, file: &Path) -> Result<(), ProviderError> {
    match std::fs::metadata(file) {
        Ok(facts) if facts.is_dir() || facts.len() > 0 => Ok(()),
        Ok(_) => Err(ProviderError::fatal(provider, format!("{} is empty", file.display()))),
        Err(e) => Err(ProviderError::fatal(provider, format!("cannot read {}: {e}", file.display()))),
    }
}

/// Refuses a shared library that was cut short: the loader maps it and dies of SIGBUS instead of saying so.
pub(super) fn check_library(file: &Path) -> Result<(), ProviderError> {
    let refuse = |why: &str| ProviderError::fatal("library", format!("{}: {why}", file.display()));
    let mut header = [0u8; 64];
    let length = std::fs::File::open(file)
        .and_then(|mut f| {
            std::io::Read::read_exact(&mut f, &mut header)?;
            f.metadata()
        })
        .map_err(|e| refuse(&e.to_string()))?
        .len();
    if header[..5] != *b"\x7fELF\x02" {
        return Err(refuse("not a 64-bit shared library"));
    }
    // The section table (offset at 0x28, entry size at 0x3a, count at 0x3c) stands at the end of the file.
    let word = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let mut offset = [0u8; 8];
    offset.copy_from_slice(&header[0x28..0x30]);
    match u64::from_le_bytes(offset).checked_add(word(0x3a) * word(0x3c)) {
        Some(end) if end <= length => Ok(()),
        _ => Err(refuse("the file is cut short")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_none_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("libonnxruntime.so");
        assert!(check_library(&file).unwrap_err().to_string().contains("libonnxruntime.so"));
        std::fs::write(&file, vec![b'x'; 4096]).unwrap();
        assert!(check_library(&file).unwrap_err().to_string().contains("not a 64-bit shared library"));
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(check_library(&file).unwrap_err().to_string().contains("cut short"));
        std::fs::write(&file, &whole).unwrap();
        check_library(&file).unwrap();
    }
}
