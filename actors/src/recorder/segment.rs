//! Cuts a stream's blocks into objects: each from a keyframe on, from time zero.

use super::webm::{Block, Head, write_block, write_cluster};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A cluster's blocks are at most this many ticks after its beginning: they are told in 16 bits.
const LONGEST_CLUSTER: i64 = 30_000;

/// How to go on with a stream after an object: kept in its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    /// The piece in which the next object's first byte stands.
    pub sequence: u64,
    /// Where in that piece.
    pub skip: u64,
    /// The time of the cluster around it.
    pub cluster: i64,
    /// The stream's header, in hex.
    pub head: String,
}

/// A finished object.
#[derive(Debug)]
pub(super) struct Segment {
    pub object: Vec<u8>,
    pub media_type: &'static str,
    /// First and last piece, which name it.
    pub pieces: (u64, u64),
    pub started_at: chrono::DateTime<chrono::Utc>,
    pub ended_at: chrono::DateTime<chrono::Utc>,
    pub next: Place,
}

/// What was cut, before it is known which pieces it came from.
pub(super) struct Cut {
    pub object: Vec<u8>,
    /// Where its first and its last block begin in the stream.
    pub from: u64,
    pub to: u64,
}

/// Cuts blocks into objects.
pub(super) struct Cutter {
    length: Duration,
    most: usize,
    open: Option<Open>,
}

struct Open {
    object: Vec<u8>,
    cluster: Vec<u8>,
    /// Of the cluster, from the object's beginning.
    cluster_time: i64,
    start: i64,
    from: u64,
    to: u64,
}

impl Cutter {
    pub(super) fn new(length: Duration, most: usize) -> Self {
        Self { length, most, open: None }
    }

    /// Takes the stream's next block; returns the object that ends before it, if one does.
    pub(super) fn push(&mut self, head: &Head, block: &Block) -> Option<Cut> {
        let is_video = head.video.is_none_or(|video| video == block.track);
        let is_start = is_video && (block.key || head.video.is_none());
        let is_due = self.open.as_ref().is_some_and(|open| {
            let ticks = self.length.as_nanos() / u128::from(head.scale);
            let is_long = i128::from(block.time) - i128::from(open.start) >= ticks as i128;
            (is_start && is_long) || open.object.len() + open.cluster.len() + block.frame.len() > self.most
        });
        let cut = if is_due { self.end() } else { None };
        if self.open.is_none() {
            if !is_start {
                // nothing plays before a keyframe
                return cut;
            }
            let (object, cluster, start) = (head.bytes(), Vec::new(), block.time);
            self.open = Some(Open { object, cluster, cluster_time: 0, start, from: block.at, to: block.at });
        }
        if let Some(open) = &mut self.open {
            open.push(block, is_start);
        }
        cut
    }

    /// Ends the object that is open.
    pub(super) fn end(&mut self) -> Option<Cut> {
        let mut open = self.open.take()?;
        open.close_cluster();
        Some(Cut { object: open.object, from: open.from, to: open.to })
    }
    /// Where the object that is open begins in the stream.
    pub(super) fn from(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.from)
    }
}

impl Open {
    fn push(&mut self, block: &Block, is_start: bool) {
        // audio may be a little earlier than the keyframe that it follows
        let time = (block.time - self.start).max(0);
        let within = time - self.cluster_time;
        if self.cluster.is_empty() || is_start || !(-LONGEST_CLUSTER..=LONGEST_CLUSTER).contains(&within) {
            self.close_cluster();
            self.cluster_time = time;
        }
        write_block(&mut self.cluster, block, (time - self.cluster_time) as i16);
        self.to = block.at;
    }
    fn close_cluster(&mut self) {
        if !self.cluster.is_empty() {
            write_cluster(&mut self.object, self.cluster_time as u64, &self.cluster);
            self.cluster.clear();
        }
    }
}
