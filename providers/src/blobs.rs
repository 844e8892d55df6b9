//! Where objects are kept: a folder of this machine, or a bucket of Google's Cloud Storage.
//!
//! The seam is `object_store`'s own trait. It repeats what may pass (a reset, 429, 5xx) with growing pauses; [`Patience`]
//! bounds that, so that whoever keeps an object hears of a failure while it still has the bytes.

use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    prefix::PrefixStore,
};
use reqwest::Url;
use std::{fs, path::Path, sync::Arc, time::Duration};

/// Objects by name.
pub type SharedBlobs = Arc<dyn ObjectStore>;

/// The store cannot be used as configured; an operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BlobsError {
    /// Not `file:///folder` and not `gs://bucket/prefix`.
    #[error("{0} is no place for objects: it must be file:///folder or gs://bucket/prefix")]
    Place(Url),
    /// The folder is not there and cannot be made.
    #[error("the folder of objects: {0}")]
    Folder(#[from] std::io::Error),
    /// Credentials that do not read, or a setting that makes no sense.
    #[error(transparent)]
    Settings(#[from] object_store::Error),
}

/// How long a bucket may take.
#[derive(Debug, Clone)]
pub struct Patience {
    /// To connect.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For all attempts at one request.
    pub retry: Duration,
    /// Attempts after the first.
    pub retries: usize,
}
impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), read: seconds(20), retry: seconds(45), retries: 5 }
    }
}

/// Opens the place that a URL names. Nothing is asked of a bucket yet.
///
/// Cloud Storage's credentials are the environment's: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's own file, or the
/// service account of the machine. Google's other variables (`GOOGLE_BASE_URL` for an emulator) are read too.
pub fn open(url: &Url) -> Result<SharedBlobs, BlobsError> {
    match url.scheme() {
        "file" => folder(&url.to_file_path().map_err(|()| BlobsError::Place(url.clone()))?),
        "gs" => bucket(url, GoogleCloudStorageBuilder::from_env(), &Patience::default()),
        _ => Err(BlobsError::Place(url.clone())),
    }
}

/// Opens a folder, which is made where it is not there.
pub fn folder(path: &Path) -> Result<SharedBlobs, BlobsError> {
    fs::create_dir_all(path)?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(path)?))
}

/// Opens `gs://bucket/prefix`, with credentials and address as the builder has them.
pub fn bucket(url: &Url, builder: GoogleCloudStorageBuilder, patience: &Patience) -> Result<SharedBlobs, BlobsError> {
    // whoever comes first installs it; a second time is no error
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = || BlobsError::Place(url.clone());
    let name = url.host_str().filter(|name| !name.is_empty()).ok_or_else(place)?;
    if url.query().is_some() || url.port().is_some() || !url.username().is_empty() {
        return Err(place());
    }
    // in clear only where whoever runs us names such an address, of an emulator
    let in_clear = builder.get_config_value(&GoogleConfigKey::BaseUrl).is_some_and(|url| url.starts_with("http://"));
    let client = ClientOptions::new()
        .with_allow_http(in_clear)
        .with_timeout_disabled()
        .with_connect_timeout(patience.connect)
        .with_read_timeout(patience.read);
    let retry = RetryConfig { max_retries: patience.retries, retry_timeout: patience.retry, ..RetryConfig::default() };
    let bucket: GoogleCloudStorage =
        builder.with_bucket_name(name).with_client_options(client).with_retry(retry).build()?;
    let prefix = object_store::path::Path::from_url_path(url.path()).map_err(|_| place())?;
    if prefix.is_root() { Ok(Arc::new(bucket)) } else { Ok(Arc::new(PrefixStore::new(bucket, prefix))) }
}

#[cfg(test)]
mod tests;
