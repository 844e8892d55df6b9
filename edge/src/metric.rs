//! Every metric of the edge: its name, its labels, its unit.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Open sockets.
pub const SOCKETS: &str = "maya_edge_sockets";
/// Frames, by `direction`.
pub const FRAMES: &str = "maya_edge_frames_total";
/// Bytes of frames, by `direction`.
pub const BYTES: &str = "maya_edge_bytes_total";
/// ERROR messages sent, by `code`.
pub const ERRORS: &str = "maya_edge_errors_total";
/// Upgrades refused, by `reason`.
pub const REFUSED: &str = "maya_edge_refused_total";
/// Sockets ended, by `reason`.
pub const ENDED: &str = "maya_edge_sockets_ended_total";
/// Pieces to the bus that were dropped because it was behind.
pub const BACKLOG: &str = "maya_edge_backlog_total";
/// Messages to a candidate that were dropped, by `reason`.
pub const DROPPED: &str = "maya_edge_dropped_total";
/// Messages handed to another edge.
pub const FORWARDED: &str = "maya_edge_forwarded_total";
/// Candidates who were told that Maya is kept away, by `reason`.
pub const SUSPENDED: &str = "maya_edge_suspended_total";
/// From the bus (or a peer) to the socket.
pub const BUS_TO_SOCKET: &str = "maya_edge_bus_to_socket_seconds";
/// A barge-in: from the session's decision to the socket. Of two machines the difference of their clocks is in it.
pub const BARGE_IN: &str = "maya_barge_in_seconds";

/// Describes them to the recorder.
pub(crate) fn describe() {
    describe_gauge!(SOCKETS, Unit::Count, "Open sockets.");
    describe_counter!(FRAMES, Unit::Count, "Frames, by direction (up, down).");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of frames, by direction (up, down).");
    describe_counter!(ERRORS, Unit::Count, "ERROR messages sent, by code.");
    describe_counter!(REFUSED, Unit::Count, "Upgrades refused, by reason.");
    describe_counter!(ENDED, Unit::Count, "Sockets ended, by reason.");
    describe_counter!(BACKLOG, Unit::Count, "Pieces dropped because the bus was behind.");
    describe_counter!(DROPPED, Unit::Count, "Messages to a candidate dropped, by reason.");
    describe_counter!(FORWARDED, Unit::Count, "Messages handed to another edge.");
    describe_counter!(SUSPENDED, Unit::Count, "Candidates told that Maya is kept away, by reason.");
    describe_histogram!(BUS_TO_SOCKET, Unit::Seconds, "From the bus, or a peer, to the socket.");
    describe_histogram!(
        BARGE_IN,
        Unit::Seconds,
        "A barge-in: from the session's decision to AGENT_CLEAR at the socket."
    );
}
