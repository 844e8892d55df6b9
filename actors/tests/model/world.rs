//! What the model is made of: as little of the platform as the fence, the hand-over and the way back need.
//!
//! One session, one candidate, two interviewer nodes, two edges. The candidate's words and Maya's sentences are numbers:
//! utterance `n` is answered by reply `n`, a sentence is sent in two parts. Time is not modelled: whatever a clock may
//! decide is an action that may come at any moment at which the clocks of the code allow it.

use std::collections::VecDeque;

pub type Epoch = u8;
/// A connection, by its generation.
pub type Connection = u8;
pub type Offset = u8;
/// An interviewer node, or an edge: 0 or 1.
pub type Place = u8;

/// A sentence of Maya's: the reply, and the place in it.
pub type Sentence = (u8, u8);

/// The session's row in `placements`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Row {
    pub owner: Option<Place>,
    pub epoch: Epoch,
    pub position: Option<Offset>,
}

/// A recorded turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    Candidate(u8),
    /// A reply and how many of its sentences are recorded.
    Maya(u8, u8),
}

/// `audio.candidate.spoken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateBody {
    Joined,
    /// All the audio of an utterance.
    Audio(u8),
    /// The edge has wholly written that sentence on this connection.
    Written(Sentence),
}

/// `audio.agent.spoken` and `audio.candidate.transcribed`, here one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentBody {
    TakeOver,
    /// The first part of a sentence, or its last.
    Speech(Sentence, Part),
    Clear,
    /// A final one: the acknowledgement.
    Transcript(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgentMessage {
    pub epoch: Epoch,
    pub connection: Connection,
    pub body: AgentBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry {
    pub up: bool,
    /// It has been up, and not emptied, for longer than a node's record lives.
    pub settled: bool,
    /// The nodes' records, kept by their heartbeats: a node's is the lease of all its sessions.
    pub nodes: [bool; 2],
    pub socket: Option<Connection>,
}

/// What waits to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Turn(Turn, Option<Offset>),
    Position(Offset),
}

/// A reply on its way, or the last one that was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Talk {
    pub reply: u8,
    /// Sentences that it will have: all of it, or as many as were recorded when it was rebuilt.
    pub sentences: u8,
    pub worded: u8,
    pub recorded: u8,
    /// Sentences wholly let go, and whether the next one has begun.
    pub released: u8,
    pub begun: bool,
    /// Sentences known to be wholly written.
    pub written: u8,
}

/// A session in a node's memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub epoch: Epoch,
    /// The connection that is spoken to.
    pub connection: Option<Connection>,
    /// The connection whose audio is heard, in the log's order.
    pub stream: Connection,
    /// The next message of the log.
    pub next: Offset,
    /// All before it is recorded, on its way to the journal, or silence.
    pub safe: Option<Offset>,
    pub journal: VecDeque<Entry>,
    /// An utterance that is in the database, its `TRANSCRIPT` not sent.
    pub receipt: Option<u8>,
    /// The last utterance that is in the database, as far as the session knows.
    pub words: Option<u8>,
    pub talk: Option<Talk>,
    /// Asked to hand over, and by whom.
    pub releasing: Option<Place>,
}

/// What a node knows of the row before it claims.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub epoch: Epoch,
    pub position: Option<Offset>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Node {
    pub up: bool,
    pub paused: bool,
    /// It believes that the partition is its own.
    pub nominee: bool,
    pub seen: Option<Seen>,
    /// Its claim has committed, the session is not there yet.
    pub claimed: Option<Seen>,
    pub session: Option<Session>,
}

/// What an edge remembers of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Gate {
    pub epoch: Epoch,
    pub seen: Option<Offset>,
    /// The sentence that is partly written.
    pub partly: Option<Sentence>,
    pub whole: Vec<Sentence>,
    /// Reports on their way to the log.
    pub reports: VecDeque<Sentence>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Edge {
    pub up: bool,
    /// Where it reads the partition, if it does.
    pub at: Option<Offset>,
    pub socket: Option<(Connection, Gate)>,
}

/// The candidate, and what reached them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Candidate {
    pub edge: Option<Place>,
    pub connection: Connection,
    /// Utterances said.
    pub said: u8,
    /// Utterances whose final `TRANSCRIPT` came.
    pub acknowledged: u8,
    /// The sentence that is half heard.
    pub half: Option<Sentence>,
    /// Sentences heard whole, on this connection and on those before.
    pub whole: Vec<Sentence>,
    pub before: Vec<Sentence>,
}

/// Faults that may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    pub moves: u8,
    pub crashes: u8,
    pub pauses: u8,
    pub edge_crashes: u8,
    pub registry_losses: u8,
    /// A session's actor fails, and its node goes on.
    pub falls: u8,
    /// Partitions of the way back read by both edges.
    pub rereads: u8,
}

/// What must never be; set where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Violation {
    StaleWrite,
    HeardBeforeRecorded,
    LowerEpochAfterMarker,
    RepeatedThoughKnown,
    NotClearedBeforeRepeat,
    TakenFromALiveOwner,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub row: Row,
    pub turns: Vec<Turn>,
    pub spoken: Vec<(Connection, CandidateBody)>,
    pub agent: Vec<AgentMessage>,
    pub registry: Registry,
    /// The node that a complete node list gives the partition.
    pub given: Place,
    pub nodes: [Node; 2],
    pub edges: [Edge; 2],
    pub candidate: Candidate,
    pub faults: Faults,
    /// A session was lost with its node, or fell: a reply that was half worded may be lost with it.
    pub lost_a_session: bool,
    /// Where the newest owner began to speak to a connection: nothing of a lower epoch may pass after it.
    pub begun: Option<(Epoch, Connection, Offset)>,
    pub violation: Option<Violation>,
}

impl World {
    /// Approved, joined on that edge, owned by nobody.
    pub fn new(edge: Place, faults: Faults) -> Self {
        let node = |nominee| Node { up: true, nominee, ..Node::default() };
        let held = |place| Edge {
            up: true,
            at: (place == 0).then_some(0),
            socket: (place == edge).then(|| (1, Gate::default())),
        };
        Self {
            row: Row::default(),
            turns: Vec::new(),
            spoken: vec![(1, CandidateBody::Joined)],
            agent: Vec::new(),
            registry: Registry { up: true, settled: true, nodes: [true, true], socket: Some(1) },
            given: 0,
            nodes: [node(true), node(false)],
            edges: [held(0), held(1)],
            candidate: Candidate { edge: Some(edge), connection: 1, ..Candidate::default() },
            faults,
            lost_a_session: false,
            begun: None,
            violation: None,
        }
    }

    pub fn violate(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Times that an utterance is in the transcript.
    pub fn recorded(&self, utterance: u8) -> usize {
        self.turns.iter().filter(|turn| **turn == Turn::Candidate(utterance)).count()
    }

    /// Sentences of a reply that are in the transcript.
    pub fn recorded_sentences(&self, reply: u8) -> u8 {
        let of = |turn: &Turn| match turn {
            Turn::Maya(of, sentences) if *of == reply => Some(*sentences),
            _ => None,
        };
        self.turns.iter().find_map(of).unwrap_or(0)
    }
}

impl Node {
    /// It runs, and is not stopped.
    pub fn runs(&self) -> bool {
        self.up && !self.paused
    }
}

impl Talk {
    pub fn new(reply: u8, sentences: u8) -> Self {
        Self { reply, sentences, worded: 0, recorded: 0, released: 0, begun: false, written: 0 }
    }
    pub fn goes_on(&self) -> bool {
        self.released < self.sentences
    }
}
