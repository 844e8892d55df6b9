//! From the topic to objects and rows, with a recorder that dies on the way.

use crate::support::{Ground, PATIENCE, ground};
use bytes::Bytes;
use maya_actors::recorder::{Recorder, RecorderSettings};
use maya_protocol::{
    bus::Record,
    ids::{ConnectionId, SessionId, TenantId},
    topic::{Channel, Topic},
};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

static CAMERA: &[u8] = include_bytes!("../fixtures/camera.webm");

struct Camera {
    tenant: TenantId,
    session: SessionId,
    partition: u32,
    connection: ConnectionId,
}

impl Camera {
    async fn of(ground: &Ground, tenant: TenantId, consent: Option<bool>) -> Self {
        let (session, partition) = ground.session(tenant, consent).await;
        Self { tenant, session, partition, connection: ConnectionId::fresh() }
    }
    /// As the edge writes it.
    fn piece(&self, ground: &Ground, sequence: usize, payload: &[u8]) -> Record {
        let facts = [
            ("tenant", self.tenant.to_string()),
            ("session", self.session.to_string()),
            ("connection", self.connection.to_string()),
            ("stream", "1".to_owned()),
            ("sequence", sequence.to_string()),
            ("captured-at", ground.store.clock().utc().timestamp_micros().to_string()),
            ("keyid", String::new()),
        ];
        Record {
            channel: Channel::Main(Topic::CandidateVideo),
            key: self.session.to_string(),
            partition: Some(self.partition),
            headers: facts.map(|(name, value)| (name.to_owned(), Bytes::from(value))).into(),
            payload: Bytes::copy_from_slice(payload),
        }
    }
    async fn shows(&self, ground: &Ground, pieces: std::ops::Range<usize>) {
        for (sequence, bytes) in CAMERA.chunks(20_000).enumerate().skip(pieces.start).take(pieces.len()) {
            ground.bus.publish(self.piece(ground, sequence, bytes)).await.unwrap();
        }
    }
    async fn rows(&self, ground: &Ground) -> Vec<(String, i64, Vec<u8>, bool)> {
        let mut tx = ground.store.tenant(self.tenant).await.unwrap();
        sqlx::query_as(
            "select object, bytes, sha256, started_at <= ended_at from recordings where session_id = $1 order by object",
        )
        .bind(self.session.0)
        .fetch_all(tx.conn())
        .await
        .unwrap()
    }
}

fn pieces() -> usize {
    CAMERA.chunks(20_000).count()
}

fn record(ground: &Ground, blobs: &Arc<InMemory>, idle: Duration) -> CancellationToken {
    let stop = CancellationToken::new();
    let settings = RecorderSettings { segment: Duration::from_secs(3), idle, ..RecorderSettings::default() };
    let blobs: Arc<dyn ObjectStore> = blobs.clone();
    tokio::spawn(Recorder::new(ground.store.clone(), ground.bus.clone(), blobs, settings).run(stop.clone()));
    stop
}

async fn until_rows(ground: &Ground, camera: &Camera, count: usize) -> Vec<(String, i64, Vec<u8>, bool)> {
    maya_testkit::eventually(PATIENCE, || async {
        let rows = camera.rows(ground).await;
        (rows.len() >= count).then_some(rows)
    })
    .await
}

const QUICK: Duration = Duration::from_millis(500);
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_camera_becomes_objects_with_rows_and_only_with_consent() {
    let ground = ground().await;
    let tenant = ground.tenant(None).await;
    let camera = Camera::of(&ground, tenant, Some(true)).await;
    let (refused, silent) = (Camera::of(&ground, tenant, Some(false)).await, Camera::of(&ground, tenant, None).await);
    for camera in [&refused, &silent, &camera] {
        camera.shows(&ground, 0..pieces()).await;
    }
    let blobs = Arc::new(InMemory::new());
    let stop = record(&ground, &blobs, QUICK);
    for (object, bytes, sha256, in_order) in until_rows(&ground, &camera, 2).await {
        let content = blobs.get(&object.as_str().into()).await.unwrap().bytes().await.unwrap();
        assert_eq!((content.len() as i64, in_order), (bytes, true));
        assert_eq!(sha256, Sha256::digest(&content).to_vec());
        assert!(content.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]), "plays alone");
        assert!(object.starts_with(&tenant.to_string()));
    }
    // the refused ones are done with before a later camera is: whoever comes next is given none of their pieces
    let later = Camera::of(&ground, tenant, Some(true)).await;
    later.shows(&ground, 0..pieces()).await;
    until_rows(&ground, &later, 2).await;
    stop.cancel();
    let mut group = ground.bus.join("recorder", &[Topic::CandidateVideo.into()]).await.unwrap();
    while let Ok(delivery) = tokio::time::timeout(Duration::from_millis(300), group.next()).await {
        assert_eq!(delivery.unwrap().record.key, later.session.to_string());
    }
    assert!(refused.rows(&ground).await.is_empty() && silent.rows(&ground).await.is_empty());
}

#[tokio::test]
async fn a_recorder_that_dies_is_followed_by_one_that_misses_nothing() {
    let ground = ground().await;
    let tenant = ground.tenant(None).await;
    let (whole, broken) =
        (Camera::of(&ground, tenant, Some(true)).await, Camera::of(&ground, tenant, Some(true)).await);
    let blobs = Arc::new(InMemory::new());
    // the first recorder sees half, and dies with the second object unfinished
    let first = record(&ground, &blobs, NEVER);
    broken.shows(&ground, 0..pieces() / 2).await;
    until_rows(&ground, &broken, 1).await;
    first.cancel();
    broken.shows(&ground, pieces() / 2..pieces()).await;
    whole.shows(&ground, 0..pieces()).await;
    let second = record(&ground, &blobs, QUICK);
    let (expected, rows) = (until_rows(&ground, &whole, 2).await, until_rows(&ground, &broken, 2).await);
    second.cancel();
    let contents = |rows: &[(String, i64, Vec<u8>, bool)]| rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>();
    assert!(contents(&rows) == contents(&expected), "the same bytes as without the accident");
}
