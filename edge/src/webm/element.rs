//! EBML's grammar: an element is its id, its size and its content.

use super::WebmError;

/// The ids that occur.
pub(super) mod id {
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const CODEC_ID: u32 = 0x86;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const BLOCK_GROUP: u32 = 0xA0;
    pub const BLOCK: u32 = 0xA1;
    /// Info, SeekHead, Cues, Tags, Chapters, Attachments; Void, CRC-32; a cluster's Timestamp, Position, PrevSize;
    /// a group's BlockDuration, ReferenceBlock, DiscardPadding, BlockAdditions, CodecState, ReferencePriority.
    pub const SKIPPED: [u32; 17] = [
        0x1549_A966,
        0x114D_9B74,
        0x1C53_BB6B,
        0x1254_C367,
        0x1043_A770,
        0x1941_A469,
        0xEC,
        0xBF,
        0xE7,
        0xA7,
        0xAB,
        0x9B,
        0xFB,
        0x75A2,
        0x75A1,
        0xA4,
        0xFA,
    ];
}

/// An element's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// What it is.
    pub id: u32,
    /// Bytes of content; none where it lasts until the next element of its level.
    pub size: Option<u64>,
    /// Bytes of id and size.
    pub header: usize,
}

/// The element that begins here; `None` while its head is not all there.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Element>, WebmError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let length = first.leading_zeros() as usize + 1;
    if length > 4 {
        return Err(WebmError::Malformed);
    }
    let Some(id) = bytes.get(..length) else { return Ok(None) };
    let Some((value, size)) = size(&bytes[length..])? else { return Ok(None) };
    Ok(Some(Element { id: uint(id) as u32, size: value, header: length + size }))
}

/// A number behind its own length (all ones: unknown), and how many bytes it takes.
pub(super) fn size(bytes: &[u8]) -> Result<Option<(Option<u64>, usize)>, WebmError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return Err(WebmError::Malformed);
    }
    let Some(digits) = bytes.get(..length) else { return Ok(None) };
    let unknown = (1u64 << (7 * length)) - 1;
    let value = uint(digits) & unknown;
    Ok(Some(((value != unknown).then_some(value), length)))
}

/// A big-endian number of at most eight bytes.
pub(super) fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
