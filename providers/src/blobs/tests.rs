//! Against a stand-in at the level of the protocol: the part of Cloud Storage's XML API that is used, and what a sick
//! server sends.

mod bucket;

use super::*;
use bucket::{Bucket, Fault, TOKEN};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{Error, ObjectStoreExt, path::Path as Name};

fn quick() -> Patience {
    let ms = Duration::from_millis;
    Patience { connect: ms(500), read: ms(300), retry: Duration::from_secs(20), retries: 2 }
}

fn opened(bucket: &Bucket) -> SharedBlobs {
    let builder = GoogleCloudStorageBuilder::new().with_base_url(&bucket.url).with_bearer_token(TOKEN);
    super::bucket(&"gs://recordings/eu/maya".parse().unwrap(), builder, &quick()).unwrap()
}

fn video() -> Bytes {
    Bytes::from_static(b"\x1a\x45\xdf\xa3 a video")
}

#[tokio::test]
async fn an_object_is_kept_below_the_prefix_listed_and_removed() {
    let bucket = Bucket::start(&[]).await;
    let blobs = opened(&bucket);
    let name = Name::from("tenant/interview/a b.webm");
    blobs.put(&name, video().into()).await.unwrap();
    assert_eq!(bucket.names(), ["recordings/eu/maya/tenant/interview/a b.webm"]);
    let found = blobs.get(&name).await.unwrap();
    assert_eq!(found.meta.size, video().len() as u64);
    assert_eq!(found.bytes().await.unwrap(), video());
    let listed: Vec<_> = blobs.list(Some(&Name::from("tenant"))).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|object| &object.location).collect::<Vec<_>>(), [&name]);
    blobs.delete(&name).await.unwrap();
    assert!(bucket.names().is_empty());
    for gone in [blobs.get(&name).await.unwrap_err(), blobs.delete(&name).await.unwrap_err()] {
        assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for fault in [Fault::Hang, Fault::Reset, Fault::Status(429), Fault::Status(503)] {
        let bucket = Bucket::start(&[fault, fault]).await;
        let blobs = opened(&bucket);
        let name = Name::from("a");
        blobs.put(&name, video().into()).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((bucket.names().len(), bucket.requests()), (1, 3), "{fault:?}");
        assert_eq!(blobs.get(&name).await.unwrap().bytes().await.unwrap(), video());
    }
}

#[tokio::test]
async fn what_does_not_pass_is_an_error_and_never_a_missing_object() {
    for fault in [Fault::Hang, Fault::Reset, Fault::Garbage, Fault::Status(429), Fault::Status(503)] {
        let bucket = Bucket::start(&[fault; 6]).await;
        let blobs = opened(&bucket);
        let name = Name::from("a");
        for error in [blobs.put(&name, video().into()).await.unwrap_err(), blobs.get(&name).await.unwrap_err()] {
            assert!(!matches!(error, Error::NotFound { .. }), "{fault:?}: {error}");
            assert!(!error.to_string().contains(TOKEN), "{fault:?}: {error}");
        }
        assert!(bucket.requests() <= 6, "{fault:?}");
        assert!(bucket.names().is_empty());
    }
}

#[tokio::test]
async fn a_download_that_breaks_off_is_not_taken_for_the_whole() {
    let bucket = Bucket::start(&[]).await;
    let blobs = opened(&bucket);
    let name = Name::from("a");
    blobs.put(&name, video().into()).await.unwrap();
    bucket.breaks(&[Fault::Cut; 4]);
    let read = async { blobs.get(&name).await?.bytes().await };
    assert!(read.await.is_err());
    // the last of the faults is used up by now
    while bucket.faults() > 0 {
        let _ = async { blobs.get(&name).await?.bytes().await }.await;
    }
    assert_eq!(blobs.get(&name).await.unwrap().bytes().await.unwrap(), video());
}

#[tokio::test]
async fn a_bucket_that_refuses_us_says_so() {
    let bucket = Bucket::start(&[]).await;
    let builder = GoogleCloudStorageBuilder::new().with_base_url(&bucket.url).with_bearer_token("another");
    let blobs = super::bucket(&"gs://recordings".parse().unwrap(), builder, &quick()).unwrap();
    let refused = blobs.put(&Name::from("a"), video().into()).await.unwrap_err();
    assert!(matches!(refused, Error::Unauthenticated { .. }), "{refused}");
}

#[test]
fn what_is_no_place_and_what_are_no_credentials_is_found_at_once() {
    for url in ["gs:///prefix", "gs://user@bucket/", "gs://bucket/?a=b", "s3://bucket", "https://bucket/x"] {
        let refused = open(&url.parse().unwrap());
        assert!(matches!(refused, Err(BlobsError::Place(_))), "{url}");
    }
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("key.json");
    fs::write(&garbage, "{ not a key").unwrap();
    for file in [folder.path().join("absent.json"), garbage.clone()] {
        let builder = GoogleCloudStorageBuilder::new().with_application_credentials(file.to_str().unwrap());
        let refused = super::bucket(&"gs://recordings".parse().unwrap(), builder, &quick());
        assert!(matches!(refused, Err(BlobsError::Settings(_))), "{}", file.display());
    }
    let beneath_a_file = Url::from_file_path(garbage.join("x")).unwrap();
    assert!(matches!(open(&beneath_a_file), Err(BlobsError::Folder(_))));
}
