//! The sockets of this edge, by connection and by session.

use crate::connection::Connection;
use dashmap::{DashMap, mapref::entry::Entry};
use maya_protocol::{
    audio::AgentMessage,
    ids::{ConnectionId, SessionId},
};
use std::{sync::Arc, time::Instant};

/// The sockets of this edge.
#[derive(Default)]
pub(crate) struct Hub {
    connections: DashMap<ConnectionId, Arc<Connection>>,
    /// Each session's newest connection here.
    sessions: DashMap<SessionId, Arc<Connection>>,
}

impl Hub {
    /// Takes a connection in; returns the one that has lost its session by that: an older one, or this.
    pub(crate) fn insert(&self, connection: Arc<Connection>) -> Option<Arc<Connection>> {
        self.connections.insert(connection.id, connection.clone());
        match self.sessions.entry(connection.session) {
            Entry::Vacant(entry) => {
                entry.insert(connection);
                None
            }
            Entry::Occupied(mut entry) if entry.get().generation < connection.generation => {
                Some(entry.insert(connection))
            }
            Entry::Occupied(_) => Some(connection),
        }
    }

    /// Lets a connection go.
    pub(crate) fn remove(&self, connection: &Connection) {
        self.connections.remove(&connection.id);
        self.sessions.remove_if(&connection.session, |_, newest| newest.id == connection.id);
    }

    /// A connection of that generation exists somewhere: an older one here is replaced.
    pub(crate) fn replaced(&self, session: SessionId, generation: u64) {
        let newest = self.sessions.get(&session).map(|entry| entry.clone());
        if let Some(connection) = newest.filter(|connection| connection.generation < generation) {
            connection.replace();
        }
    }

    /// Queues a message for its connection; gives it back where that is not here.
    pub(crate) fn deliver(&self, message: AgentMessage, offset: u64, since: Instant) -> Option<AgentMessage> {
        let connection = self.connections.get(&message.connection).map(|entry| entry.clone());
        match connection {
            Some(connection) => {
                connection.deliver(message, offset, since);
                None
            }
            None => Some(message),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// All of them, at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.connections.iter().map(|entry| entry.value().clone()).collect()
    }
}
