//! `postmaster.pid`: which server runs on a data folder, if any.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// A server that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    /// Its process.
    pub(super) pid: u32,
    /// Its TCP port; 0 before it has written one.
    pub(super) port: u16,
    /// Whether it takes connections.
    pub(super) ready: bool,
}

/// The server of this data folder. A file that was left by a dead one says nothing: the process must be there and work
/// in this very folder, since process numbers are used again.
pub(super) fn running(data: &Path) -> Option<Running> {
    let found = parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)?;
    works_in(found.pid, data).then_some(found)
}

/// Disarms a left-over file whose process number now belongs to something else, which PostgreSQL would take for a
/// running server. Only the number is replaced (by one that no process can have): the rest of the file lets PostgreSQL
/// see whether children of the dead server are still at work.
pub(super) fn disarm(data: &Path) -> io::Result<()> {
    const NO_PROCESS: &str = "4194305";
    let path = data.join("postmaster.pid");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match text.split_once('\n') {
        Some((_, rest)) if running(data).is_none() => fs::write(&path, format!("{NO_PROCESS}\n{rest}")),
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Option<Running> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let port = lines.nth(2).and_then(|port| port.trim().parse().ok()).unwrap_or(0);
    let ready = lines.nth(3).is_some_and(|status| status.trim() == "ready");
    Some(Running { pid, port, ready })
}

/// Whether that process is there and works in this folder; one that has ended and is not reaped does not.
pub(super) fn works_in(pid: u32, data: &Path) -> bool {
    let (Ok(cwd), Ok(data)) = (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(data)) else { return false };
    (cwd.dev(), cwd.ino()) == (data.dev(), data.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_writes() {
        let text = "30703\n/proc/self/fd/4/data\n1795788206\n55999\n\n127.0.0.1\n 10698760         4\nready   \n";
        assert_eq!(parse(text), Some(Running { pid: 30703, port: 55999, ready: true }));
        assert_eq!(parse("30703\n/data\n1795788206\n"), Some(Running { pid: 30703, port: 0, ready: false }));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_number_that_another_process_has_is_disarmed() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("postmaster.pid");
        fs::write(&file, format!("{}\n/data\n1\n5432\n", std::process::id())).unwrap();
        assert_eq!(running(data.path()), None, "this process works elsewhere");
        disarm(data.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "4194305\n/data\n1\n5432\n");
    }
}
