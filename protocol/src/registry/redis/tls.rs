//! Redis over TLS with an authority of one's own.

use super::invalid;
use crate::registry::RegistryError;
use ::redis::{Client, RedisError, TlsCertificates};
use std::{fs, path::Path};

/// What a PEM file of authorities has in it.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// A client that trusts the authorities of that file and no others.
pub(super) fn client(url: &str, ca_file: &Path) -> Result<Client, RegistryError> {
    let unreadable = |why: &dyn std::fmt::Display| {
        RegistryError::Invalid(format!("{} is no file of authorities (PEM): {why}", ca_file.display()))
    };
    let pem = fs::read_to_string(ca_file).map_err(|error| unreadable(&error))?;
    // the client would take a file without any, and then trust nobody
    if !pem.contains(BEGIN) {
        return Err(unreadable(&"there is no certificate in it"));
    }
    if !url.starts_with("rediss://") {
        return Err(RegistryError::Invalid("an authority's file goes with rediss:// only".to_owned()));
    }
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.into_bytes()) };
    Client::build_with_tls(url, certificates).map_err(invalid)
}

/// Whether we did not believe the server to be who it says; an operator must act. The library passes the reason on as
/// text only.
pub(super) fn is_untrusted(error: &RedisError) -> bool {
    error.to_string().contains("invalid peer certificate")
}
