//! One connection's video: which pieces are still needed, and the objects they become.

use super::{
    RecorderSettings,
    segment::{Cut, Cutter, Place, Segment},
    webm::{Demuxer, Head},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use maya_protocol::ids::{ConnectionId, SessionId, TenantId};
use std::{collections::VecDeque, time::Instant};

/// A piece that arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub sequence: u64,
    pub captured_at: DateTime<Utc>,
    /// In its partition.
    pub offset: u64,
}

/// A piece that may still be needed.
struct Held {
    piece: Piece,
    /// Where it begins, in bytes of what was read here, and how much of its front was passed over.
    start: u64,
    skipped: u64,
}

/// One connection's video.
pub(super) struct Stream {
    pub session: SessionId,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub partition: u32,
    pub last_at: Instant,
    demuxer: Demuxer,
    cutter: Cutter,
    held: VecDeque<Held>,
    /// Bytes read so far.
    read: u64,
    next: u64,
    /// Where the first piece is entered, after another recorder.
    entry: Option<(u64, u64)>,
    /// Whether a row tells of the header, so that its pieces need not be read again.
    has_row: bool,
    /// Not WebM: nothing of it will ever be kept.
    is_dead: bool,
}

impl Stream {
    pub(super) fn new(
        (session, tenant, connection): (SessionId, TenantId, ConnectionId),
        partition: u32,
        resume: Option<Place>,
        settings: &RecorderSettings,
        now: Instant,
    ) -> Self {
        let known = resume.and_then(|place| {
            let head = Head::read(&hex::decode(&place.head).ok()?)?;
            Some((place.sequence, place.skip, Demuxer::resumed(head, place.cluster)))
        });
        let (next, entry, demuxer) = match known {
            Some((sequence, skip, demuxer)) => (sequence, Some((sequence, skip)), demuxer),
            None => (0, None, Demuxer::default()),
        };
        Self {
            session,
            tenant,
            connection,
            partition,
            last_at: now,
            has_row: entry.is_some(),
            demuxer,
            cutter: Cutter::new(settings.segment, settings.max_segment_bytes),
            held: VecDeque::new(),
            read: 0,
            next,
            entry,
            is_dead: false,
        }
    }

    /// Takes a piece; returns the objects that it finished.
    pub(super) fn push(&mut self, piece: Piece, mut bytes: Bytes, now: Instant) -> Vec<Segment> {
        self.last_at = now;
        if self.is_dead || piece.sequence < self.next {
            return Vec::new();
        }
        let mut finished = Vec::new();
        let mut skipped = 0;
        if piece.sequence > self.next {
            metrics::counter!("maya_recorder_gaps_total").increment(1);
            finished.extend(self.end());
            if self.demuxer.head().is_none() {
                self.die();
                return finished;
            }
            self.demuxer.lose();
        } else if let Some((_, skip)) = self.entry.take().filter(|(sequence, _)| *sequence == piece.sequence) {
            skipped = skip.min(bytes.len() as u64);
            bytes = bytes.slice(skipped as usize..);
        }
        self.next = piece.sequence + 1;
        self.held.push_back(Held { piece, start: self.read, skipped });
        self.read += bytes.len() as u64;
        let mut blocks = Vec::new();
        let damaged = self.demuxer.push(bytes, &mut blocks);
        for block in &blocks {
            let Some(head) = self.demuxer.head().cloned() else { break };
            if let Some(cut) = self.cutter.push(&head, block) {
                finished.extend(self.segment(cut, Some((block.at, block.cluster))));
                self.has_row = true;
            }
        }
        if damaged.is_err() {
            self.die();
        }
        finished
    }

    /// Ends what is open: the camera is silent, gone or cut off.
    pub(super) fn end(&mut self) -> Vec<Segment> {
        let cut = self.cutter.end();
        let finished = cut.and_then(|cut| self.segment(cut, None)).into_iter().collect();
        self.held.clear();
        finished
    }

    /// Lets go of pieces that no object will need: call when what [`Stream::push`] returned is kept.
    pub(super) fn forget_kept(&mut self) {
        let needed = if self.has_row { self.cutter.from().unwrap_or(self.read) } else { 0 };
        if self.is_dead {
            self.held.clear();
        }
        while self.held.get(1).is_some_and(|second| second.start <= needed) {
            self.held.pop_front();
        }
    }

    /// The bus offset of the first piece that is still needed.
    pub(super) fn first_needed(&self) -> Option<u64> {
        self.held.front().map(|held| held.piece.offset)
    }
    pub(super) fn has_work(&self) -> bool {
        !self.held.is_empty()
    }

    fn die(&mut self) {
        tracing::warn!(session.id = %self.session, "the camera's stream is not WebM; it is not recorded");
        metrics::counter!("maya_recorder_pieces_dropped_total", "why" => "not_webm").increment(1);
        self.is_dead = true;
        self.held.clear();
    }

    /// The piece in which a byte stands.
    fn piece(&self, at: u64) -> Option<&Held> {
        self.held.iter().rev().find(|held| held.start <= at).or(self.held.front())
    }

    fn segment(&self, cut: Cut, next: Option<(u64, i64)>) -> Option<Segment> {
        let head = self.demuxer.head()?;
        let (first, last) = (self.piece(cut.from)?, self.piece(cut.to)?);
        let (sequence, skip, cluster) = match next.and_then(|(at, cluster)| Some((self.piece(at)?, at, cluster))) {
            Some((held, at, cluster)) => (held.piece.sequence, held.skipped + at.saturating_sub(held.start), cluster),
            None => (self.next, 0, 0),
        };
        Some(Segment {
            object: cut.object,
            media_type: if head.video.is_some() { "video/webm" } else { "audio/webm" },
            pieces: (first.piece.sequence, last.piece.sequence),
            started_at: first.piece.captured_at,
            ended_at: last.piece.captured_at,
            next: Place { sequence, skip, cluster, head: hex::encode(head.bytes()) },
        })
    }
}
