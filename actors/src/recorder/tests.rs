use super::{
    segment::{Place, Segment},
    stream::{Piece, Stream},
    webm::{Block, Demuxer, Head},
    *,
};
use maya_protocol::clock::{Clock, SystemClock};
use proptest::prelude::*;

/// Ten seconds of Chromium's camera and microphone, as MediaRecorder made them; a keyframe at 0 s and one at 5 s.
static CAMERA: &[u8] = include_bytes!("../../tests/fixtures/camera.webm");

fn settings(length: Duration) -> RecorderSettings {
    RecorderSettings { segment: length, ..RecorderSettings::default() }
}

fn new_stream(resume: Option<Place>, settings: &RecorderSettings) -> Stream {
    let ids = (SessionId::fresh(), TenantId::fresh(), ConnectionId::fresh());
    Stream::new(ids, 0, resume, settings, SystemClock.now())
}

fn piece(sequence: usize) -> Piece {
    let captured_at = DateTime::from_timestamp(1_800_000_000 + sequence as i64, 0).unwrap();
    Piece { sequence: sequence as u64, captured_at, offset: sequence as u64 }
}

fn feed(stream: &mut Stream, pieces: &[&[u8]], from: usize) -> Vec<Segment> {
    let mut finished = Vec::new();
    for (sequence, bytes) in pieces.iter().enumerate().skip(from) {
        finished.extend(stream.push(piece(sequence), Bytes::copy_from_slice(bytes), SystemClock.now()));
        stream.forget_kept();
    }
    finished
}

fn read(bytes: &[u8]) -> (Option<Head>, Vec<Block>) {
    let (mut demuxer, mut blocks) = (Demuxer::default(), Vec::new());
    demuxer.push(Bytes::copy_from_slice(bytes), &mut blocks).unwrap();
    (demuxer.head().cloned(), blocks)
}

fn frames(blocks: &[Block]) -> Vec<(u64, Bytes)> {
    blocks.iter().map(|block| (block.track, block.frame.clone())).collect()
}

/// The frames of objects, each of which must play alone.
fn play(objects: &[Segment]) -> Vec<(u64, Bytes)> {
    let mut all = Vec::new();
    for segment in objects {
        let (head, blocks) = read(&segment.object);
        let head = head.expect("each object has the header");
        let first = &blocks[0];
        assert!(first.key && Some(first.track) == head.video && first.time == 0, "begins with a keyframe at zero");
        assert!(blocks.iter().all(|block| block.time >= 0));
        all.extend(frames(&blocks));
    }
    all
}

#[test]
fn a_camera_becomes_objects_that_play_alone_and_no_frame_is_lost() {
    let settings = settings(Duration::from_secs(3));
    let (head, blocks) = read(CAMERA);
    assert!(head.as_ref().is_some_and(|head| head.video.is_some()));
    assert_eq!(Head::read(&head.as_ref().unwrap().bytes()), head);
    let from = blocks.iter().position(|block| block.key && Some(block.track) == head.as_ref().unwrap().video).unwrap();
    let pieces: Vec<&[u8]> = CAMERA.chunks(20_001).collect();
    let mut stream = new_stream(None, &settings);
    let mut objects = feed(&mut stream, &pieces, 0);
    objects.extend(stream.end());
    assert_eq!(objects.len(), 2);
    assert!(play(&objects) == frames(&blocks[from..]));
    assert_eq!(stream.first_needed(), None);
    // an object lasts to the keyframe after its time, and tells when it was
    let length = |segment: &Segment| read(&segment.object).1.last().unwrap().time;
    assert!(objects.iter().all(|object| (4_500..5_200).contains(&length(object))), "the second ends with the stream");
    assert!(objects.is_sorted_by_key(|object| object.started_at));
    assert!(objects.iter().all(|object| object.started_at <= object.ended_at));
}

#[test]
fn a_recorder_that_dies_anywhere_is_followed_by_one_that_misses_nothing() {
    let settings = settings(Duration::from_secs(3));
    let pieces: Vec<&[u8]> = CAMERA.chunks(9_973).collect();
    let mut whole = new_stream(None, &settings);
    let mut expected = feed(&mut whole, &pieces, 0);
    expected.extend(whole.end());
    for died_after in 0..pieces.len() {
        let mut first = new_stream(None, &settings);
        let mut objects = feed(&mut first, &pieces[..died_after], 0);
        // the log is read again from the first piece that no object had
        let from = first.first_needed().unwrap_or(0) as usize;
        let resume = objects.last().map(|object| object.next.clone());
        let mut second = new_stream(resume, &settings);
        objects.extend(feed(&mut second, &pieces, from));
        objects.extend(second.end());
        assert!(play(&objects) == play(&expected), "died after {died_after}");
        let bytes = |objects: &[Segment]| objects.iter().map(|object| object.object.clone()).collect::<Vec<_>>();
        assert!(bytes(&objects) == bytes(&expected), "died after {died_after}");
    }
}

#[test]
fn a_lost_piece_costs_what_stood_in_it_up_to_the_next_keyframe() {
    let settings = settings(Duration::from_secs(1));
    let pieces: Vec<&[u8]> = CAMERA.chunks(30_000).collect();
    for lost in 1..pieces.len() - 1 {
        let mut stream = new_stream(None, &settings);
        let mut objects = feed(&mut stream, &pieces[..lost], 0);
        objects.extend(feed(&mut stream, &pieces, lost + 1));
        objects.extend(stream.end());
        assert!(play(&objects).len() > 40, "without {lost}");
    }
    // without the header nothing plays
    let mut stream = new_stream(None, &settings);
    assert!(feed(&mut stream, &pieces, 1).is_empty());
    assert!(stream.end().is_empty() && stream.first_needed().is_none());
}

#[test]
fn pieces_that_come_again_change_nothing_and_a_bound_is_kept() {
    let settings = RecorderSettings { max_segment_bytes: 60_000, ..settings(Duration::from_secs(3)) };
    let pieces: Vec<&[u8]> = CAMERA.chunks(20_000).collect();
    let mut stream = new_stream(None, &settings);
    let mut objects = Vec::new();
    for sequence in 0..pieces.len() {
        objects.extend(feed(&mut stream, &pieces[..=sequence], sequence));
        objects.extend(feed(&mut stream, &pieces[..=sequence], 0));
    }
    objects.extend(stream.end());
    assert!(objects.iter().all(|object| object.object.len() <= 60_500));
    play(&objects);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_streams_never_panic_and_what_is_kept_begins_with_a_keyframe(
        changes in proptest::collection::vec((0usize..CAMERA.len(), any::<u8>()), 0..40),
        size in 500usize..40_000,
    ) {
        let mut damaged = CAMERA.to_vec();
        changes.iter().for_each(|(at, byte)| damaged[*at] = *byte);
        let pieces: Vec<&[u8]> = damaged.chunks(size).collect();
        let mut stream = new_stream(None, &settings(Duration::from_secs(2)));
        let mut objects = feed(&mut stream, &pieces, 0);
        objects.extend(stream.end());
        for object in objects {
            prop_assert!(!object.object.is_empty());
        }
    }
}
