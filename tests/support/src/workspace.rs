//! Where fetched parts lie, where temporary data goes, and which ports are free.

use maya_embedded::{Cache, Part};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The cache that `./maya test` fills: `MAYA_CACHE_DIR`, or the workspace's.
pub fn cache() -> Cache {
    match std::env::var_os("MAYA_CACHE_DIR") {
        Some(path) => Cache::at(path),
        None => Cache::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.maya/cache")),
    }
}

/// Where a part is; a test never fetches.
pub(crate) fn part(part: Part) -> PathBuf {
    cache().present(part).unwrap_or_else(|| panic!("{part} is not in {}: run `./maya test`", cache().root().display()))
}

/// A new folder for a part's data, removed when dropped; what a killed process left is removed by the next.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let root = std::env::temp_dir().join("maya-testkit");
        fs::create_dir_all(&root).expect("the temporary folder can be written");
        sweep(&root);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("no other process has this number");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split_once('-')).map(|(pid, _)| pid);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Ports that were free a moment ago, all different.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let free = || TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let held: [TcpListener; N] = std::array::from_fn(|_| free());
    held.map(|port| port.local_addr().expect("a bound port has an address").port())
}
