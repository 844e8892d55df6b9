//! The folder in which fetched parts lie: `<cache>/<part>-<fingerprint>/`, there whole or not at all.

use crate::{
    error::FetchError,
    fetch,
    lock::{FileLock, Mode},
    manifest::Part,
};
use std::path::{Path, PathBuf};

/// Where downloads are kept. Cheap to clone; several processes may share one.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A part that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub part: Part,
    /// What it is, in a line.
    pub about: &'static str,
    /// How much is to be downloaded.
    pub download_bytes: u64,
}

impl Cache {
    /// A cache in this folder, which need not exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // absolute, because children are started in other folders
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// `MAYA_CACHE_DIR`, or `.maya/cache` below the working folder.
    pub fn from_env() -> Self {
        Self::at(std::env::var_os("MAYA_CACHE_DIR").map_or_else(|| PathBuf::from(".maya/cache"), PathBuf::from))
    }

    /// The cache's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the part is, if it is there.
    pub fn present(&self, part: Part) -> Option<PathBuf> {
        let path = self.folder(part);
        path.is_dir().then_some(path)
    }

    /// What of these would be fetched.
    pub fn plan_missing(&self, parts: &[Part]) -> Vec<Missing> {
        let missing = parts.iter().filter(|part| self.present(**part).is_none());
        missing
            .map(|&part| Missing { part, about: &part.entry().about, download_bytes: part.entry().download_bytes() })
            .collect()
    }

    /// Where the part is, after fetching it if need be. Progress goes to standard error. Safe to interrupt, and safe
    /// to call from several processes: one fetches, the others wait.
    pub async fn ensure(&self, part: Part) -> Result<PathBuf, FetchError> {
        if let Some(path) = self.present(part) {
            return Ok(path);
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| FetchError::Io { part, path, source }
        };
        std::fs::create_dir_all(&self.root).map_err(io(&self.root))?;
        let lock_file = self.root.join(format!(".{part}.lock"));
        if FileLock::try_take(&lock_file, Mode::Exclusive).map_err(io(&lock_file))?.is_none() {
            eprintln!("{part}: another process is fetching it, waiting");
        }
        let _lock = FileLock::take(&lock_file, Mode::Exclusive).await.map_err(io(&lock_file))?;
        if let Some(path) = self.present(part) {
            return Ok(path);
        }
        fetch::fetch(part, &self.root.join(format!(".{part}.part")), &self.folder(part)).await?;
        Ok(self.folder(part))
    }

    fn folder(&self, part: Part) -> PathBuf {
        self.root.join(format!("{part}-{}", part.entry().fingerprint()))
    }
}
