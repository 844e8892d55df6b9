//! Opus packets out of a live WebM stream, as Chromium's MediaRecorder cuts it.
//!
//! An own parser of what such a stream contains, rather than `webm-iterable`: that one panicked on a mutated block,
//! must be kept from buffering 4 GB, and decodes elements nobody here wants. Any cut of the bytes gives the same
//! packets; an element that a MediaRecorder never writes ends the stream, which is how corruption shows.

mod element;

use bytes::{Buf, BytesMut};
use element::{Element, id};

/// Most bytes of an Opus packet; a packet of 120 ms at the highest rate has under 8 KiB.
const MAX_PACKET: u64 = 16 * 1024;
/// Most bytes of a track's description.
const MAX_TRACK: u64 = 16 * 1024;
/// Most bytes of what is skipped in one piece (tags, cues, padding).
const MAX_SKIPPED: u64 = 64 * 1024;

/// The stream is broken; nothing more can be had from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebmError {
    /// Not WebM, or cut in the middle.
    #[error("the stream is not WebM, or bytes of it are missing")]
    Malformed,
    /// An element is longer than it may be.
    #[error("an element of the stream is too long")]
    TooLong,
    /// Several frames in a block; no MediaRecorder laces.
    #[error("the stream uses lacing")]
    Laced,
    /// No Opus track before the first block.
    #[error("the stream has no Opus track")]
    NoOpus,
}

/// An incremental demuxer of one stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    pending: BytesMut,
    skip: usize,
    begun: bool,
    track: Option<u64>,
}

impl Demuxer {
    /// Takes the stream's next bytes, cut anywhere, and hands out each Opus packet that is now whole.
    /// After an error the stream is dead.
    pub fn push(&mut self, bytes: &[u8], mut packet: impl FnMut(&[u8])) -> Result<(), WebmError> {
        self.pending.extend_from_slice(bytes);
        loop {
            let skipped = self.skip.min(self.pending.len());
            self.pending.advance(skipped);
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(());
            }
            let Some(element) = element::read(&self.pending)? else { return Ok(()) };
            if !self.begun && element.id != id::EBML {
                return Err(WebmError::Malformed);
            }
            self.begun = true;
            match element.id {
                // Their size, mostly unknown, does not matter: what is inside comes next.
                id::SEGMENT | id::CLUSTER | id::TRACKS | id::BLOCK_GROUP => self.pending.advance(element.header),
                id::TRACK_ENTRY => {
                    let Some(entry) = self.take(element, MAX_TRACK)? else { return Ok(()) };
                    if self.track.is_none() {
                        self.track = opus_track(&entry)?;
                    }
                }
                id::SIMPLE_BLOCK | id::BLOCK => {
                    let Some(block) = self.take(element, MAX_PACKET + 16)? else { return Ok(()) };
                    let wanted = self.track.ok_or(WebmError::NoOpus)?;
                    if let Some(frame) = block_frame(&block, wanted)? {
                        packet(frame);
                    }
                }
                id::EBML => {
                    // Another header starts another file: a client that restarted its recorder.
                    self.track = None;
                    self.skip(element)?;
                }
                known if id::SKIPPED.contains(&known) => self.skip(element)?,
                _ => return Err(WebmError::Malformed),
            }
        }
    }

    /// Whether the stream ends inside an element. One byte does not count: each chunk of a MediaRecorder ends
    /// one byte into the next block.
    pub fn is_cut(&self) -> bool {
        self.skip > 0 || self.pending.len() > 1
    }

    fn skip(&mut self, element: Element) -> Result<(), WebmError> {
        let size = element.size.ok_or(WebmError::TooLong)?;
        if size > MAX_SKIPPED {
            return Err(WebmError::TooLong);
        }
        self.skip = element.header + size as usize;
        Ok(())
    }

    /// Takes a whole element's content, or nothing while it is not all there.
    fn take(&mut self, element: Element, limit: u64) -> Result<Option<BytesMut>, WebmError> {
        let size = element.size.filter(|size| *size <= limit).ok_or(WebmError::TooLong)? as usize;
        if self.pending.len() < element.header + size {
            return Ok(None);
        }
        self.pending.advance(element.header);
        Ok(Some(self.pending.split_to(size)))
    }
}

/// The number of a track whose codec is Opus.
fn opus_track(mut entry: &[u8]) -> Result<Option<u64>, WebmError> {
    let (mut number, mut opus) = (None, false);
    while !entry.is_empty() {
        let element = element::read(entry)?.ok_or(WebmError::Malformed)?;
        let size = element.size.and_then(|size| usize::try_from(size).ok()).ok_or(WebmError::Malformed)?;
        let content = entry.get(element.header..).and_then(|rest| rest.get(..size)).ok_or(WebmError::Malformed)?;
        match element.id {
            id::TRACK_NUMBER if size <= 8 => number = Some(element::uint(content)),
            id::CODEC_ID => opus = content.split(|byte| *byte == 0).next() == Some(b"A_OPUS"),
            _ => {}
        }
        entry = &entry[element.header + size..];
    }
    Ok(number.filter(|_| opus))
}

/// The frame of a block of the wanted track: `track number, i16 time, flags, frame`.
fn block_frame(block: &[u8], wanted: u64) -> Result<Option<&[u8]>, WebmError> {
    let (track, length) = element::size(block)?.ok_or(WebmError::Malformed)?;
    let flags = *block.get(length + 2).ok_or(WebmError::Malformed)?;
    if flags & 0b0000_0110 != 0 {
        return Err(WebmError::Laced);
    }
    let frame = &block[length + 3..];
    Ok((track == Some(wanted) && !frame.is_empty()).then_some(frame))
}

#[cfg(test)]
mod tests;
