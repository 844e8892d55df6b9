//! A camera, from a candidate's socket to the object that a recruiter plays: kept with consent, and else nowhere.

use crate::harness::*;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Connection as _;
use std::{
    fs,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Ten seconds of Chromium's camera and microphone, as MediaRecorder made them.
const CAMERA: &[u8] = include_bytes!("../../actors/tests/fixtures/camera.webm");
/// Its track of pictures.
const PICTURES: u64 = 2;
/// Bytes of a piece, which ends in the middle of an element.
const PIECE: usize = 20_000;

const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const SIMPLE_BLOCK: u64 = 0xA3;

/// A row of `recordings`.
#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    interview_id: Uuid,
    session_id: Uuid,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    object: String,
    bytes: i64,
    sha256: Vec<u8>,
}

async fn rows(site: &Site) -> Vec<Row> {
    let mut connection = sqlx::PgConnection::connect(site.database()).await.expect("the site's database");
    sqlx::query_as("select * from recordings").fetch_all(&mut connection).await.expect("its recordings")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the site's own folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Agrees or not, shows the camera, says one thing and leaves; the errors that came.
async fn interviewed(link: &Link, agrees: bool) -> Vec<String> {
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    socket.send(json!({"type": "CONSENT", "recording": agrees, "textVersion": "2"})).await;
    for piece in CAMERA.chunks(PIECE) {
        socket.send(json!({"type": "VIDEO", "data": BASE64_STANDARD.encode(piece)})).await;
    }
    let mut conversation = Conversation::new(&["I have worked with Rust for six years."]);
    conversation.is_quiet = true;
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");
    socket.send(json!({"type": "LEAVE"})).await;
    assert!(conversation.talk(&mut socket, |so_far| so_far.close.is_some()).await, "{conversation:?}");
    assert_eq!((conversation.state.as_str(), conversation.close), ("ENDED", Some(1000)), "{conversation:?}");
    conversation.errors
}

/// A number of EBML, and what follows it; an id keeps its marker.
fn number(bytes: &[u8], is_id: bool) -> (u64, &[u8]) {
    let length = bytes[0].leading_zeros() as usize + 1;
    let (digits, rest) = bytes.split_at(length);
    let marker = if is_id { 0 } else { 1u64 << (7 * length) };
    (digits.iter().fold(0u64, |number, digit| number << 8 | u64::from(*digit)) & !marker, rest)
}

/// Every block of a whole WebM file: its track, whether it is a keyframe, the frame.
fn blocks(mut bytes: &[u8]) -> Vec<(u64, bool, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (id, rest) = number(bytes, true);
        let (size, rest) = number(rest, false);
        if [SEGMENT, CLUSTER].contains(&id) {
            // entered, for a live stream does not know their size
            bytes = rest;
            continue;
        }
        let (content, rest) = rest.split_at(size as usize);
        if id == SIMPLE_BLOCK {
            let (track, block) = number(content, false);
            found.push((track, block[2] & 0x80 != 0, &block[3..]));
        }
        bytes = rest;
    }
    found
}

#[tokio::test]
async fn a_camera_is_kept_of_who_agreed_and_of_nobody_else() {
    let site = Site::quick().await;
    let maya = site.serve("").await;
    let (tenant, rest) = site.customer(&maya).await;
    // who refuses comes first, so that it is late enough for anything of theirs when the other's is kept
    let errors = interviewed(&rest.create(&short_interview()).await.approved().await, false).await;
    assert_eq!(errors, vec!["consent_required"; CAMERA.chunks(PIECE).len()]);
    let interview = rest.create(&short_interview()).await;
    let link = interview.approved().await;
    let errors = interviewed(&link, true).await;
    assert!(errors.is_empty(), "{errors:?}");

    let listed = maya_testkit::eventually(DEADLINE, async || {
        let listed = interview.get("/recordings").await;
        listed["items"].as_array().filter(|items| !items.is_empty()).cloned()
    })
    .await;
    let rows = rows(&site).await;
    assert_eq!((rows.len(), listed.len()), (1, 1), "one object of them, and none of who refused");
    let row = &rows[0];
    let ids = [row.tenant_id, row.interview_id, row.session_id].map(|id| id.to_string());
    assert_eq!(ids, [tenant.id, interview.id, link.session_id]);
    assert!(row.started_at < row.ended_at, "{} to {}", row.started_at, row.ended_at);

    let folder = site.folder().join("blobs");
    assert_eq!(files(&folder), [folder.join(&row.object)]);
    let object = fs::read(folder.join(&row.object)).expect("the object");
    assert_eq!((object.len() as i64, Sha256::digest(&object).to_vec()), (row.bytes, row.sha256.clone()));
    assert_eq!(listed[0]["sha256"], hex::encode(&row.sha256));
    assert!(object.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]), "it begins as a file does");
    let shown = blocks(CAMERA).into_iter().skip_while(|(track, is_key, _)| (*track, *is_key) != (PICTURES, true));
    assert!(blocks(&object) == shown.collect::<Vec<_>>(), "every frame from the first keyframe on, and nothing else");
}
