//! A certificate authority of one test's own, and a server's certificate.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the PEM files lie.
pub(crate) struct Certificate {
    /// What a client trusts.
    pub(crate) ca_file: PathBuf,
    /// The server's key and certificates in one file, as Kafka's PEM key store wants them and Redis takes them.
    pub(crate) server_pem: PathBuf,
}

pub(crate) fn write(folder: &Path) -> Certificate {
    const FRESH: &str = "a new key signs a new certificate";
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "maya test authority");
    let ca_key = KeyPair::generate().expect(FRESH);
    let ca_pem = ca.self_signed(&ca_key).expect(FRESH).pem();
    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect(FRESH);
    server.distinguished_name.push(DnType::CommonName, "localhost");
    let server_key = KeyPair::generate().expect(FRESH);
    let signed = server.signed_by(&server_key, &Issuer::new(ca, ca_key)).expect(FRESH).pem();
    let files = Certificate { ca_file: folder.join("ca.pem"), server_pem: folder.join("server.pem") };
    fs::write(&files.ca_file, &ca_pem).expect("our own folder can be written");
    let store = format!("{}{signed}{ca_pem}", server_key.serialize_pem());
    fs::write(&files.server_pem, store).expect("our own folder can be written");
    files
}
