//! The keys of a running platform: configured, derived from the configured join key, or made once and kept (0600).

use super::{Config, Secret};
use hmac::{Hmac, Mac};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// What a process signs, seals and proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Signs join links.
    pub join: Secret,
    /// What nodes prove themselves with.
    pub node: Secret,
    sealing: Secret,
}

impl Keys {
    /// Seals what the database keeps secret.
    pub fn sealing(&self) -> [u8; 32] {
        Sha256::digest(self.sealing.expose().as_bytes()).into()
    }
}

impl Config {
    /// The keys in effect. Where only the join key is configured, the others are derived from it, so that processes
    /// that share it share all; where it is not, each is made by itself and kept in the data dir.
    pub fn keys(&self) -> io::Result<Keys> {
        let of = |configured: &Option<Secret>, name: &str| match (configured, &self.join.key) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(join)) => Ok(derive(join, name)),
            (None, None) => kept(&self.data_dir, name),
        };
        Ok(Keys {
            join: of(&self.join.key, "join.key")?,
            node: of(&self.node.secret, "node.secret")?,
            sealing: of(&self.secrets.key, "secrets.key")?,
        })
    }
}

fn derive(from: &Secret, name: &str) -> Secret {
    let mut mac = Hmac::<Sha256>::new_from_slice(from.expose().as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(b"maya/");
    mac.update(name.as_bytes());
    Secret::new(hex::encode(mac.finalize().into_bytes()))
}

/// Reads the kept key, or makes it: under a lock, so that two first starts agree on one.
fn kept(data_dir: &Path, name: &str) -> io::Result<Secret> {
    let folder = data_dir.join("keys");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join(name);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    let mut file: Flock<File> = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // a start that died while writing leaves less than a key, which nothing can have been signed with
    if text.len() != 64 {
        text = hex::encode(rand::random::<[u8; 32]>());
        file.set_len(0)?;
        io::Seek::rewind(&mut *file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn keys_are_made_once_and_only_ours_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::load_from(None, []).unwrap();
        config.data_dir = dir.path().join("deep/data");
        let keys = config.keys().unwrap();
        assert_eq!(config.keys().unwrap(), keys);
        assert_ne!(keys.join, keys.node);
        let mode = std::fs::metadata(config.data_dir.join("keys/join.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let shared = |dir: &str| {
            let mut config = config.clone();
            config.join.key = Some(Secret::new("the same everywhere"));
            config.data_dir = dir.into();
            config.keys().unwrap()
        };
        assert_eq!(shared("/nowhere/a"), shared("/nowhere/b"));
        assert_ne!(shared("/nowhere/a").sealing(), keys.sealing());
    }
}
