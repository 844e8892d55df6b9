//! Fetches one part: each package by its own client, checked, unpacked aside, then put in place by one rename.
//!
//! No host name stands here: pip, npm and maven know their registries, and whoever runs maya may have told them others.

mod client;

use crate::{
    error::FetchError,
    manifest::{Client, Entry, Package, Part, Source},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// What lies in this repository because no small package has it.
const BUNDLED: [(&str, &[u8]); 1] = [("bert-uncased-vocab", include_bytes!("../data/bert-uncased-vocab.txt"))];
/// The broker's jars, as `sha256sum` prints them.
const JARS: &str = include_str!("../kafka/jars.sha256");

/// Makes `target` from the first source that works. `staging` is ours alone (the caller holds the part's lock): wheels
/// already checked are kept there over an interruption, half-unpacked files are not.
pub(crate) async fn fetch(part: Part, staging: &Path, target: &Path) -> Result<(), FetchError> {
    let entry = part.entry();
    let mut reasons = Vec::new();
    for source in &entry.source {
        match from_source(part, entry, source, staging, target).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                eprintln!("{error}");
                reasons.push(error);
            }
        }
    }
    match reasons.len() {
        1 => Err(reasons.remove(0)),
        _ => Err(FetchError::NoSource(reasons)),
    }
}

async fn from_source(
    part: Part,
    entry: &Entry,
    source: &Source,
    staging: &Path,
    target: &Path,
) -> Result<(), FetchError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| FetchError::Io { part, path, source }
    };
    let (downloads, unpacked) = (staging.join("downloads"), staging.join("unpacked"));
    remove_dir(&unpacked).map_err(io(&unpacked))?;
    for folder in [&downloads, &unpacked] {
        fs::create_dir_all(folder).map_err(io(folder))?;
    }
    for package in &source.package {
        match package.client {
            Client::Bundled => {
                let (_, bytes) = BUNDLED
                    .iter()
                    .find(|(name, _)| *name == package.spec)
                    .expect("a test finds every bundled file of the manifest");
                let path = unpacked.join(&package.file);
                fs::write(&path, bytes).map_err(io(&path))?;
                check(part, &path, &package.sha256)?;
            }
            Client::Maven => {
                client::run(part, package, &downloads, &unpacked).await?;
                check_jars(part, &unpacked)?;
            }
            Client::Pip | Client::Npm => {
                download(part, package, &downloads).await?;
                client::unpack(part, package, &downloads, &unpacked).await?;
            }
        }
    }
    for (file, expected) in &entry.check {
        check(part, &unpacked.join(file), expected)?;
    }
    fs::rename(&unpacked, target).map_err(io(target))?;
    remove_dir(staging).map_err(io(staging))?;
    eprintln!("{part}: ready");
    Ok(())
}

/// Leaves the checked package in `downloads`; one that is there from an interrupted run is taken as it is.
async fn download(part: Part, package: &Package, downloads: &Path) -> Result<(), FetchError> {
    let file = downloads.join(&package.file);
    if file.is_file() && check(part, &file, &package.sha256).is_ok() {
        return Ok(());
    }
    client::run(part, package, downloads, downloads).await?;
    check(part, &file, &package.sha256)
}

/// Refuses, and removes, a file that is not the one the manifest names.
fn check(part: Part, path: &Path, expected: &str) -> Result<(), FetchError> {
    let found = sha256(path).map_err(|source| FetchError::Io { part, path: path.to_owned(), source })?;
    if found == expected {
        return Ok(());
    }
    fs::remove_file(path).map_err(|source| FetchError::Io { part, path: path.to_owned(), source })?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(FetchError::Checksum { part, file, expected: expected.to_owned(), found })
}

fn check_jars(part: Part, folder: &Path) -> Result<(), FetchError> {
    for (expected, jar) in JARS.lines().filter_map(|line| line.split_once("  ")) {
        check(part, &folder.join(jar), expected)?;
    }
    Ok(())
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
