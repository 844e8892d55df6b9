//! A lock between processes: `flock` on a file, let go when the holder ends, however it ends.

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct FileLock(#[allow(dead_code, reason = "held for its drop")] Flock<File>);

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With others.
    Shared,
    /// Alone.
    Exclusive,
}

impl FileLock {
    /// Takes the lock if it is free.
    pub(crate) fn try_take(path: &Path, mode: Mode) -> io::Result<Option<Self>> {
        let arg = if mode == Mode::Shared { FlockArg::LockSharedNonblock } else { FlockArg::LockExclusiveNonblock };
        match Flock::lock(open(path)?, arg) {
            Ok(lock) => Ok(Some(Self(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Waits for the lock, without holding up the runtime.
    pub(crate) async fn take(path: &Path, mode: Mode) -> io::Result<Self> {
        if let Some(lock) = Self::try_take(path, mode)? {
            return Ok(lock);
        }
        let file = open(path)?;
        let arg = if mode == Mode::Shared { FlockArg::LockShared } else { FlockArg::LockExclusive };
        tokio::task::spawn_blocking(move || Flock::lock(file, arg).map(Self).map_err(|(_, errno)| errno.into()))
            .await
            .map_err(io::Error::other)?
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}
