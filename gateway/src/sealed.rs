//! Secrets at rest: what must be read back (webhook secrets), but must not lie in the database in the clear.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use std::fmt;

/// Random, so long that two never meet under one key.
const NONCE: usize = 24;

/// A sealed secret could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with a key that this process does not have.
    #[error("sealed with another key")]
    OtherKey,
    /// It was changed or cut.
    #[error("the sealed secret is damaged")]
    Damaged,
}

/// Seals with the newest key, opens with any that it has.
#[derive(Clone)]
pub struct Sealing {
    keys: Vec<(u8, XChaCha20Poly1305)>,
}
impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(..)")
    }
}

impl Sealing {
    /// Seals and opens with that key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { keys: vec![keyed(key)] }
    }
    /// Also opens what an older key sealed.
    pub fn and_opens(mut self, older: [u8; 32]) -> Self {
        self.keys.push(keyed(older));
        self
    }

    /// Seals: key id (1 byte), nonce (24 bytes), ciphertext with its tag.
    pub fn seal(&self, secret: &[u8]) -> Vec<u8> {
        let (id, cipher) = &self.keys[0];
        let nonce: [u8; NONCE] = rand::random();
        let sealed = cipher
            .encrypt(&nonce.into(), Payload { msg: secret, aad: &[*id] })
            .expect("a secret is shorter than the cipher's 256 GiB");
        [&[*id], nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`Sealing::seal`] sealed.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, rest) = sealed.split_first().ok_or(SealError::Damaged)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Damaged)?;
        let mut error = SealError::OtherKey;
        for (_, cipher) in self.keys.iter().filter(|(known, _)| known == id) {
            match cipher.decrypt(&(*nonce).into(), Payload { msg: ciphertext, aad: &[*id] }) {
                Ok(secret) => return Ok(secret),
                Err(_) => error = SealError::Damaged,
            }
        }
        Err(error)
    }
}

/// A key's id tells keys apart without saying anything of them.
fn keyed(key: [u8; 32]) -> (u8, XChaCha20Poly1305) {
    (Sha256::digest([b"maya sealing key".as_slice(), &key].concat())[0], XChaCha20Poly1305::new(&key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_is_never_the_same_twice() {
        let sealing = Sealing::new([7; 32]);
        let (one, two) = (sealing.seal(b"whsec_x"), sealing.seal(b"whsec_x"));
        assert_ne!(one, two);
        assert_eq!(sealing.open(&one).unwrap(), b"whsec_x");
        let newer = Sealing::new([8; 32]).and_opens([7; 32]);
        assert_eq!(newer.open(&two).unwrap(), b"whsec_x");
        assert!(!one.windows(7).any(|piece| piece == b"whsec_x"));
    }

    #[test]
    fn another_key_and_any_changed_byte_are_refused() {
        let sealing = Sealing::new([7; 32]);
        let sealed = sealing.seal(b"secret");
        assert_eq!(Sealing::new([9; 32]).open(&sealed), Err(SealError::OtherKey));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealing.open(&changed).is_err(), "byte {at}");
            assert!(sealing.open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
