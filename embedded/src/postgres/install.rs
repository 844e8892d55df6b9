//! PostgreSQL's programs, in a place where the user that runs them can reach them.

use super::{PostgresError, error::at};
use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where root keeps the copy: only root may write there, everybody may enter.
const SHARED: &str = "/var/lib/maya";
/// PostgreSQL's own limit is 1024, and it appends to its path.
const LONGEST: usize = 900;

/// `install` itself where `run_as` can run it, else a copy of it. PostgreSQL finds its libraries by its real path, so an
/// inherited folder does not help here as it does for the data.
pub(super) fn usable(install: &Path, run_as: Option<u32>) -> Result<PathBuf, PostgresError> {
    let Some(uid) = run_as else { return Ok(install.to_owned()) };
    if install.as_os_str().len() < LONGEST && runs(install, uid) {
        return Ok(install.to_owned());
    }
    let copy = Path::new(SHARED).join(install.file_name().unwrap_or_default());
    if !copy.is_dir() {
        let aside = copy.with_extension(std::process::id().to_string());
        create_dir(Path::new(SHARED)).map_err(at(Path::new(SHARED)))?;
        copy_dir(install, &aside).map_err(at(&aside))?;
        if let Err(error) = fs::rename(&aside, &copy) {
            // another process was quicker
            fs::remove_dir_all(&aside).map_err(at(&aside))?;
            if !copy.is_dir() {
                return Err(at(&copy)(error));
            }
        }
    }
    Ok(copy)
}

fn runs(install: &Path, uid: u32) -> bool {
    let mut command = Command::new(install.join("bin/postgres"));
    command.arg("--version").uid(uid).gid(uid).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
        // the program alone is not enough: its libraries are opened later
        && fs::metadata(install.join("lib")).is_ok_and(|meta| meta.permissions().mode() & 0o005 == 0o005)
}

fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            fs::set_permissions(&target, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
    }
    Ok(())
}
