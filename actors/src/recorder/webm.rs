//! Reads a WebM stream as it arrives, cut anywhere: its header, then its blocks and where each begins.

use bytes::{Buf, Bytes, BytesMut};

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
const TIMECODE: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const TIMECODE_SCALE: u32 = 0x2A_D7B1;

/// No element that is held whole may be larger.
const MOST: u64 = 8 << 20;
/// A cluster's first bytes.
const CLUSTER_ID: [u8; 4] = CLUSTER.to_be_bytes();

/// The stream is not WebM (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not WebM")]
pub(super) struct Damaged;

/// What every object begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    ebml: Bytes,
    info: Bytes,
    tracks: Bytes,
    /// The video track, if there is one.
    pub video: Option<u64>,
    /// Nanoseconds a tick.
    pub scale: u64,
}

/// One block: a frame, as it was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub track: u64,
    /// In ticks of the stream.
    pub time: i64,
    pub key: bool,
    /// The block's own flags, then the frame.
    pub flags: u8,
    pub frame: Bytes,
    /// Where its element begins, counted in bytes of the stream.
    pub at: u64,
    /// The time of the cluster that it stood in.
    pub cluster: i64,
}

impl Head {
    /// The bytes of a stand-alone file up to its first cluster: a segment of unknown size, as live streams have it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let segment = [&SEGMENT.to_be_bytes()[..], &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        [&self.ebml[..], &segment, &self.info, &self.tracks].concat()
    }
    /// Reads what [`Head::bytes`] wrote.
    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
        let mut demuxer = Demuxer::default();
        demuxer.push(bytes::Bytes::copy_from_slice(bytes), &mut Vec::new()).ok()?;
        demuxer.head
    }
}

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct Demuxer {
    buffer: BytesMut,
    /// Bytes of the stream before the buffer.
    passed: u64,
    /// Bytes still to be passed over.
    skip: u64,
    ebml: Bytes,
    info: Bytes,
    scale: u64,
    head: Option<Head>,
    cluster: i64,
    /// Looking for the next cluster.
    lost: bool,
}

impl Demuxer {
    /// Goes on within a stream: its head is known, and the time of the cluster that the next byte stands in.
    pub(super) fn resumed(head: Head, cluster: i64) -> Self {
        Self { head: Some(head), cluster, ..Self::default() }
    }
    pub(super) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }
    /// Bytes are missing before the next ones: begin again at a cluster.
    pub(super) fn lose(&mut self) {
        self.passed += self.buffer.len() as u64;
        self.buffer.clear();
        (self.skip, self.lost) = (0, true);
    }

    /// Takes the next bytes and appends the blocks that are complete. [`Damaged`] without a head is for good; with one,
    /// reading goes on at the next cluster by itself.
    pub(super) fn push(&mut self, bytes: Bytes, blocks: &mut Vec<Block>) -> Result<(), Damaged> {
        self.buffer.extend_from_slice(&bytes);
        loop {
            match self.step(blocks) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Damaged) if self.head.is_some() => {
                    // past the byte that did not fit, whatever it was
                    let one = self.buffer.len().min(1);
                    self.pass(one);
                    (self.skip, self.lost) = (0, true);
                }
                Err(Damaged) => return Err(Damaged),
            }
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.passed += bytes as u64;
    }

    /// Reads one element; `false` if it is not complete.
    fn step(&mut self, blocks: &mut Vec<Block>) -> Result<bool, Damaged> {
        if self.lost {
            let found = self.buffer.windows(4).position(|window| window == CLUSTER_ID);
            self.pass(found.unwrap_or(self.buffer.len().saturating_sub(3)));
            if found.is_none() {
                return Ok(false);
            }
            self.lost = false;
        }
        if self.skip > 0 {
            let now = (self.buffer.len() as u64).min(self.skip);
            self.pass(now as usize);
            self.skip -= now;
            if self.skip > 0 {
                return Ok(false);
            }
        }
        let Some((id, size, start)) = element(&self.buffer)? else { return Ok(false) };
        match id {
            SEGMENT | CLUSTER => {
                self.pass(start);
                return Ok(true);
            }
            EBML | INFO | TRACKS | TIMECODE | SIMPLE_BLOCK => {}
            _ => {
                self.pass(start);
                self.skip = size.ok_or(Damaged)?;
                return Ok(true);
            }
        }
        let size = size.filter(|size| *size <= MOST).ok_or(Damaged)? as usize;
        if self.buffer.len() < start + size {
            return Ok(false);
        }
        let at = self.passed;
        let whole = self.buffer.split_to(start + size).freeze();
        self.passed += whole.len() as u64;
        let content = whole.slice(start..);
        match id {
            EBML => self.ebml = whole,
            INFO => {
                self.scale = find(&content, TIMECODE_SCALE).map_or(1_000_000, uint);
                self.info = whole;
            }
            TRACKS => {
                if self.ebml.is_empty() || self.info.is_empty() {
                    return Err(Damaged);
                }
                self.head = Some(Head {
                    ebml: self.ebml.clone(),
                    info: self.info.clone(),
                    video: video_track(&content),
                    tracks: whole,
                    scale: self.scale.max(1),
                });
            }
            TIMECODE => self.cluster = uint(&content).min(i64::MAX as u64 / 2) as i64,
            _ => {
                if self.head.is_none() {
                    return Err(Damaged);
                }
                let (track, used) = number(&content, false)?.ok_or(Damaged)?;
                let &[high, low, flags, ..] = content.get(used..).ok_or(Damaged)? else { return Err(Damaged) };
                blocks.push(Block {
                    track,
                    time: self.cluster + i64::from(i16::from_be_bytes([high, low])),
                    key: flags & 0x80 != 0,
                    flags,
                    frame: content.slice(used + 3..),
                    at,
                    cluster: self.cluster,
                });
            }
        }
        Ok(true)
    }
}

/// An element's id, its size (`None`: unknown) and where its content begins; `None` if that is not complete.
fn element(bytes: &[u8]) -> Result<Option<(u32, Option<u64>, usize)>, Damaged> {
    let Some((id, id_length)) = number(bytes, true)? else { return Ok(None) };
    let Some((size, size_length)) = number(&bytes[id_length..], false)? else { return Ok(None) };
    let is_unknown = size == (1u64 << (7 * size_length)) - 1;
    Ok(Some((id as u32, (!is_unknown).then_some(size), id_length + size_length)))
}

/// A variable-length number and its length; with its marker if it is an id.
fn number(bytes: &[u8], is_id: bool) -> Result<Option<(u64, usize)>, Damaged> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let length = first.leading_zeros() as usize + 1;
    if length > if is_id { 4 } else { 8 } {
        return Err(Damaged);
    }
    let Some(rest) = bytes.get(1..length) else { return Ok(None) };
    let marker = if is_id { 0xff } else { 0xffu16 >> length } as u8;
    Ok(Some((rest.iter().fold(u64::from(first & marker), |value, byte| value << 8 | u64::from(*byte)), length)))
}

fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The elements directly within a content.
fn children(mut content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (id, size, start) = element(content).ok()??;
        let end = usize::try_from(size?).ok()?.checked_add(start)?;
        let child = content.get(start..end)?;
        content = &content[end..];
        Some((id, child))
    })
}

fn find(content: &[u8], wanted: u32) -> Option<&[u8]> {
    children(content).find(|(id, _)| *id == wanted).map(|(_, content)| content)
}

fn video_track(tracks: &[u8]) -> Option<u64> {
    children(tracks)
        .filter(|(id, _)| *id == TRACK_ENTRY)
        .find(|(_, entry)| find(entry, TRACK_TYPE).map(uint) == Some(1))
        .and_then(|(_, entry)| find(entry, TRACK_NUMBER).map(uint))
}

/// Appends a cluster.
pub(super) fn write_cluster(object: &mut Vec<u8>, time: u64, blocks: &[u8]) {
    let timecode = [&[TIMECODE as u8, 0x88][..], &time.to_be_bytes()].concat();
    object.extend_from_slice(&CLUSTER_ID);
    object.extend_from_slice(&(0x01 << 56 | (timecode.len() + blocks.len()) as u64).to_be_bytes());
    object.extend_from_slice(&timecode);
    object.extend_from_slice(blocks);
}

/// Appends a block at a time relative to its cluster's.
pub(super) fn write_block(cluster: &mut Vec<u8>, block: &Block, time: i16) {
    let track = 0x01 << 56 | block.track;
    cluster.push(SIMPLE_BLOCK as u8);
    cluster.extend_from_slice(&(0x01 << 56 | (8 + 3 + block.frame.len()) as u64).to_be_bytes());
    cluster.extend_from_slice(&track.to_be_bytes());
    cluster.extend_from_slice(&time.to_be_bytes());
    cluster.push(block.flags);
    cluster.extend_from_slice(&block.frame);
}
