//! The edge's limits and rhythms. The defaults are the contract's; tests shorten them.

use maya_protocol::wire;
use std::time::Duration;

/// What may be set of an edge.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// Sockets at one time; the next is answered 503.
    pub max_sockets: usize,
    /// Most bytes of an ordinary text frame.
    pub max_frame_bytes: usize,
    /// Most bytes of a batch AUDIO or a VIDEO frame.
    pub max_large_frame_bytes: usize,
    /// How often a socket is pinged.
    pub ping_every: Duration,
    /// A socket that says nothing for this long, no pong either, is dropped.
    pub silence_limit: Duration,
    /// Bytes that may wait to be written to one socket.
    pub queue_bytes: usize,
    /// A socket whose queue stays full, or that takes no byte, for this long is dropped.
    pub stall_limit: Duration,
    /// Bytes of one socket that may be on their way to the bus.
    pub in_flight_bytes: usize,
    /// How long a socket is not read while the bus is behind, before its piece is dropped with `audio_backlog`: longer
    /// than a broker's loss is felt, for the client keeps what it may not send.
    pub backlog_wait: Duration,
    /// Life of a socket's record in the registry; refreshed at a third of it.
    pub socket_ttl: Duration,
    /// How often the list of nodes is read. A lost edge's record lives on for 1.5 s; with this its partitions are read
    /// again within 2 s.
    pub nodes_every: Duration,
    /// For how long it is believed that no edge holds a connection.
    pub route_ttl: Duration,
    /// How long after the join the edge itself says `WAITING`, if no one has said anything.
    pub waiting_after: Duration,
    /// How often a join is said again while the candidate waits: whoever was to answer it may be gone.
    pub join_again: Duration,
    /// Messages of a partition that are read again when it is taken over from another edge.
    pub look_back: u64,
    /// How long a socket of an edge that goes away is kept, where another edge is there, until nobody speaks.
    pub calm_within: Duration,
    /// Whether candidates are asked if video of theirs may be kept, where the join token does not say. Sound never is.
    pub recording: bool,
    /// Version of the consent text, where the join token does not say.
    pub consent_text_version: String,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            max_sockets: 10_000,
            max_frame_bytes: wire::MAX_FRAME_BYTES,
            max_large_frame_bytes: wire::MAX_LARGE_FRAME_BYTES,
            ping_every: Duration::from_secs(15),
            silence_limit: Duration::from_secs(45),
            queue_bytes: 8 << 20,
            stall_limit: Duration::from_secs(10),
            in_flight_bytes: 256 * 1024,
            backlog_wait: Duration::from_secs(12),
            socket_ttl: Duration::from_secs(30),
            nodes_every: Duration::from_millis(250),
            route_ttl: Duration::from_secs(1),
            waiting_after: Duration::from_secs(1),
            join_again: Duration::from_secs(5),
            look_back: 256,
            calm_within: Duration::from_secs(15),
            recording: false,
            consent_text_version: "2".to_owned(),
        }
    }
}
