//! The demuxer against what Chromium recorded, and against what it never would.

use super::*;
use proptest::prelude::*;

const RECORDED: &[u8] = include_bytes!("../../tests/fixtures/mono32.webm");

fn demux<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Result<(), WebmError>) {
    let (mut demuxer, mut packets) = (Demuxer::default(), Vec::new());
    for piece in pieces {
        if let Err(error) = demuxer.push(piece, |packet| packets.push(packet.to_vec())) {
            return (packets, Err(error));
        }
    }
    (packets, Ok(()))
}

fn sixty_ms(packet: &[u8]) -> bool {
    // RFC 6716, 3.1: configurations 3, 7 and 11 are one frame of 60 ms; code 3 counts frames of 20 ms.
    let toc = packet[0];
    toc & 3 == 3 && packet[1] & 0x3f == 3 || matches!(toc >> 3, 3 | 7 | 11) && toc & 3 == 0
}

#[test]
fn recorded_chunks_give_the_recorded_packets() {
    let mut rest = RECORDED;
    let index = include_str!("../../tests/fixtures/mono32.index.txt");
    let chunks = index.lines().filter_map(|line| {
        let (piece, after) = rest.split_at(line.split(' ').nth(2)?.parse().ok()?);
        rest = after;
        Some(piece)
    });
    let chunks: Vec<&[u8]> = chunks.collect();
    let (packets, end) = demux(chunks.iter().copied());
    assert_eq!(end, Ok(()));
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), RECORDED.len());
    let seconds = packets.len() as f64 * 0.06;
    let recorded = index.lines().count() as f64 * 0.12;
    assert!((seconds - recorded).abs() < 0.2, "{seconds} s of packets, {recorded} s recorded");
    assert!(packets.iter().all(|packet| sixty_ms(packet)));
}

#[test]
fn not_webm_lacing_and_a_missing_track_are_told_apart() {
    assert_eq!(demux(std::iter::once(&b"RIFF...."[..])).1, Err(WebmError::Malformed));
    let head = [0x1A, 0x45, 0xDF, 0xA3, 0x80];
    let block = [0xA3, 0x85, 0x81, 0, 0, 0x80, 1];
    assert_eq!(demux([&head[..], &block].into_iter()).1, Err(WebmError::NoOpus));
    let track = [0xAE, 0x8B, 0xD7, 0x81, 1, 0x86, 0x86, b'A', b'_', b'O', b'P', b'U', b'S'];
    assert_eq!(demux([&head[..], &track, &block].into_iter()), (vec![vec![1]], Ok(())));
    let laced = [0xA3, 0x85, 0x81, 0, 0, 0x82, 1];
    assert_eq!(demux([&head[..], &track, &laced].into_iter()).1, Err(WebmError::Laced));
    let huge = [0xA3, 0x01, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(demux([&head[..], &track, &huge].into_iter()).1, Err(WebmError::TooLong));
}

#[test]
fn a_lost_piece_is_noticed() {
    let (first, rest) = RECORDED.split_at(5_000);
    let (_, end) = demux([first, &rest[300..]].into_iter());
    assert!(end.is_err());
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_packets(sizes in proptest::collection::vec(1usize..700, 1..200)) {
        let whole = demux(std::iter::once(RECORDED)).0;
        let (mut rest, mut sizes) = (RECORDED, sizes.into_iter().cycle());
        let pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at(sizes.next()?.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(demux(pieces), (whole, Ok(())));
    }

    #[test]
    fn mutated_streams_never_panic_and_hold_little(
        changes in proptest::collection::vec((0..RECORDED.len(), any::<u8>()), 1..40),
        cut in 0..RECORDED.len(),
        piece in 1usize..5_000,
    ) {
        let mut stream = RECORDED.to_vec();
        changes.into_iter().for_each(|(at, byte)| stream[at] = byte);
        stream.remove(cut);
        let mut demuxer = Demuxer::default();
        for piece in stream.chunks(piece) {
            if demuxer.push(piece, |packet| assert!(packet.len() <= MAX_PACKET as usize + 16)).is_err() {
                break;
            }
            prop_assert!(demuxer.pending.len() <= MAX_PACKET as usize + 64);
        }
    }
}
