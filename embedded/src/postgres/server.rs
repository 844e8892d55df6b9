//! Making a database, and starting the server on it.

use super::{
    Options, PostgresError,
    error::at,
    pidfile::{self, Running},
};
use crate::child::spawn_tied;
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::Signal,
    unistd::{Gid, Uid, chown},
};
use rand::RngCore;
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    net::TcpListener,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{OpenOptionsExt, PermissionsExt},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The user and the group `nobody`.
const NOBODY: u32 = 65534;
const LOG_LIMIT: u64 = 8 << 20;

/// The server's folder, held open so that the server can be given it.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    handle: File,
    /// Who runs the server, if not we.
    pub(super) run_as: Option<u32>,
}

impl Home {
    /// Opens the folder, which must be there.
    pub(super) fn open(data_dir: &Path) -> Result<Self, PostgresError> {
        let folder = std::path::absolute(data_dir).map_err(at(data_dir))?.join("postgres");
        let handle = File::open(&folder).map_err(at(&folder))?;
        Ok(Self { folder, handle, run_as: Uid::effective().is_root().then_some(NOBODY) })
    }

    /// Opens the folder, and makes it first if need be.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, PostgresError> {
        let folder = data_dir.join("postgres");
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let home = Self::open(data_dir)?;
        // the server's user must pass through, and see nothing
        let mode = if home.run_as.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).map_err(at(&folder))?;
        Ok(home)
    }

    /// A file in the folder, by its real path.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same file as the server sees it.
    fn inherited(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.handle.as_raw_fd())
    }

    /// The server that runs here.
    pub(super) fn running(&self) -> Option<Running> {
        pidfile::running(&self.path("data"))
    }

    /// Whether that process is there and works in this folder.
    pub(super) fn is_at_work(&self, pid: u32) -> bool {
        pidfile::works_in(pid, &self.path("data"))
    }

    /// The superuser's URL.
    pub(super) fn url(&self, running: &Running) -> Result<String, PostgresError> {
        let path = self.path("password");
        let password = fs::read_to_string(&path).map_err(at(&path))?;
        Ok(format!("postgres://postgres:{}@127.0.0.1:{}/postgres", password.trim(), running.port))
    }

    /// A program of the installation, run by the right user, with this folder inherited.
    fn command(&self, install: &Path, program: &str) -> Result<Command, PostgresError> {
        let handle = self.handle.try_clone().map_err(at(&self.folder))?;
        let fd = self.handle.as_raw_fd();
        let mut command = Command::new(install.join("bin").join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("LD_LIBRARY_PATH", install.join("libs")).current_dir("/").stdin(Stdio::null());
        if let Some(user) = self.run_as {
            command.uid(user).gid(user);
        }
        // SAFETY: fcntl is async-signal-safe; `fd` is open as long as `self`, whose clone the closure holds
        unsafe {
            command.pre_exec(move || {
                let _ = &handle;
                fcntl(std::os::fd::BorrowedFd::borrow_raw(fd), FcntlArg::F_SETFD(FdFlag::empty()))?;
                Ok(())
            });
        }
        Ok(command)
    }

    /// The last of the server's log, for an error.
    fn log_tail(&self) -> String {
        let mut tail = String::new();
        if let Ok(mut log) = File::open(self.path("server.log")) {
            let length = log.metadata().map_or(0, |meta| meta.len());
            let _ = log.seek(SeekFrom::Start(length.saturating_sub(2000)));
            let mut bytes = Vec::new();
            let _ = log.read_to_end(&mut bytes);
            tail = String::from_utf8_lossy(&bytes).into_owned();
        }
        let said = tail.lines().rfind(|line| line.contains("FATAL") || line.contains("PANIC"));
        said.or(tail.lines().next_back()).unwrap_or("it said nothing").to_owned()
    }
}

/// Makes a database where there is none. It is made aside and renamed, so an interrupted one is made anew.
pub(super) async fn initialise(home: &Home, install: &Path, options: Options) -> Result<(), PostgresError> {
    let (data, password) = (home.path("data"), home.path("password"));
    if data.is_dir() {
        return if password.is_file() { Ok(()) } else { Err(PostgresError::PasswordLost(password)) };
    }
    let mut secret = [0; 16];
    rand::rng().fill_bytes(&mut secret);
    write_private(&password, &hex::encode(secret))?;
    // initdb runs as the server's user, which may not read ours
    let (handed, aside) = (home.path("password.handed"), home.path("data.new"));
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(at(&aside))?;
    }
    write_private(&handed, &hex::encode(secret))?;
    fs::create_dir(&aside).map_err(at(&aside))?;
    if let Some(user) = home.run_as {
        for path in [&handed, &aside] {
            let own = chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
            own.map_err(|errno| at(path)(errno.into()))?;
        }
    }
    let mut command = home.command(install, "initdb")?;
    command.args(["--pgdata", &home.inherited("data.new"), "--pwfile", &home.inherited("password.handed")]);
    command.args(["--username", "postgres", "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"]);
    // PostgreSQL's own C.UTF-8: sorts alike on every machine, whatever locales it has
    command.args(["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]);
    if !options.durable {
        command.arg("--no-sync");
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.map_err(std::io::Error::other);
    let output = output.and_then(|output| output).map_err(at(install))?;
    fs::remove_file(&handed).map_err(at(&handed))?;
    if !output.status.success() {
        return Err(PostgresError::Initialise(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    fs::rename(&aside, &data).map_err(at(&data))
}

/// Starts the server and waits until it takes connections.
pub(super) async fn launch(home: &Home, install: &Path, options: Options) -> Result<(Running, Child), PostgresError> {
    let data = home.path("data");
    let mut tries = 0;
    loop {
        pidfile::disarm(&data).map_err(at(&data))?;
        let mut child = spawn(home, install, options)?;
        let pid = child.id();
        match wait_ready(home, pid, Some(&mut child)).await {
            Ok(running) => return Ok((running, child)),
            // the port was taken meanwhile, or the children of a killed server are about to end
            Err(PostgresError::Start(reason)) if tries < 20 => {
                tries += 1;
                tracing::debug!(tries, reason, "private postgres did not start, trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn spawn(home: &Home, install: &Path, options: Options) -> Result<Child, PostgresError> {
    let loopback = Path::new("127.0.0.1");
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).map_err(at(loopback))?.port();
    let log_path = home.path("server.log");
    let fresh = fs::metadata(&log_path).map_or(true, |meta| meta.len() > LOG_LIMIT);
    let log = OpenOptions::new().create(true).append(!fresh).write(true).truncate(fresh).mode(0o600).open(&log_path);
    let log = log.map_err(at(&log_path))?;
    let mut command = home.command(install, "postgres")?;
    command.arg("-D").arg(home.inherited("data"));
    let on_off = if options.durable { "on" } else { "off" };
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        &format!("port={port}"),
        "shared_buffers=64MB",
        &format!("max_connections={}", options.max_connections),
        &format!("fsync={on_off}"),
        &format!("synchronous_commit={on_off}"),
        "timezone=UTC",
        "log_timezone=UTC",
        // an error's statement and details may hold what a candidate said
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
    ] {
        command.args(["-c", setting]);
    }
    // its own group: Ctrl-C at the terminal is for us, and we stop it in order
    command.process_group(0).stdout(log.try_clone().map_err(at(&log_path))?).stderr(log);
    let child = if options.dies_with_us { spawn_tied(command, Signal::SIGQUIT) } else { command.spawn() };
    child.map_err(at(install))
}

/// Waits until the server takes connections, or has ended.
pub(super) async fn wait_ready(home: &Home, pid: u32, mut child: Option<&mut Child>) -> Result<Running, PostgresError> {
    let ready = async {
        loop {
            let ended = child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            match home.running() {
                Some(running) if running.pid == pid && running.ready => return Ok(running),
                _ if ended => return Err(PostgresError::Start(home.log_tail())),
                None if child.is_none() => return Err(PostgresError::Start(home.log_tail())),
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready).await.map_err(|_| PostgresError::NotReady(pid))?
}

fn write_private(path: &Path, text: &str) -> Result<(), PostgresError> {
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(at(path))
}
