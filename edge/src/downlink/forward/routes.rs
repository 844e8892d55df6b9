//! Where connections are, as far as this edge knows. Pure.

use maya_protocol::ids::{ConnectionId, NodeId};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Routes remembered before those that were not used for a while are forgotten.
const ROUTES: usize = 20_000;
/// A while.
const UNUSED: Duration = Duration::from_secs(60);
/// Messages of one connection that may wait for its route: some seconds of speech.
const WAITING: usize = 128;

/// The way to a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// That edge holds it.
    At(NodeId),
    /// The registry does not know: every edge is asked.
    Everywhere,
    /// Nobody holds it; believed for a moment.
    Nowhere,
    /// The registry is being asked.
    Looking,
    /// Nobody has asked yet.
    Unknown,
}

enum Route<M> {
    At(NodeId),
    Everywhere,
    Nowhere { since: Instant },
    Looking(Vec<M>),
}

struct Entry<M> {
    route: Route<M>,
    used: Instant,
}

/// The routes, with the messages that wait for one.
pub(super) struct Routes<M> {
    known: HashMap<ConnectionId, Entry<M>>,
    /// For how long it is believed that nobody holds a connection.
    believed: Duration,
}

impl<M> Routes<M> {
    pub(super) fn new(believed: Duration) -> Self {
        Self { known: HashMap::new(), believed }
    }

    /// The way to a connection, now that it is used.
    pub(super) fn way(&mut self, connection: ConnectionId, now: Instant) -> Way {
        let Some(entry) = self.known.get_mut(&connection) else { return Way::Unknown };
        entry.used = now;
        match &entry.route {
            Route::At(edge) => Way::At(edge.clone()),
            Route::Everywhere => Way::Everywhere,
            Route::Nowhere { since } if now.saturating_duration_since(*since) < self.believed => Way::Nowhere,
            Route::Nowhere { .. } => Way::Unknown,
            Route::Looking(_) => Way::Looking,
        }
    }

    /// The registry is asked; the message waits for its answer.
    pub(super) fn look(&mut self, connection: ConnectionId, message: M, now: Instant) {
        self.put(connection, Route::Looking(vec![message]), now);
    }

    /// Another message waits; `false` where too many do.
    pub(super) fn wait(&mut self, connection: ConnectionId, message: M) -> bool {
        match self.known.get_mut(&connection).map(|entry| &mut entry.route) {
            Some(Route::Looking(waiting)) if waiting.len() < WAITING => {
                waiting.push(message);
                true
            }
            _ => false,
        }
    }

    /// The registry has answered, or not: what waited may go, in order.
    pub(super) fn found(&mut self, connection: ConnectionId, edge: Option<NodeId>, now: Instant) -> Vec<M> {
        let route = edge.map_or(Route::Everywhere, Route::At);
        match self.put(connection, route, now) {
            Some(Route::Looking(waiting)) => waiting,
            _ => Vec::new(),
        }
    }

    /// Every edge is asked, for the registry is away.
    pub(super) fn everywhere(&mut self, connection: ConnectionId, now: Instant) {
        self.put(connection, Route::Everywhere, now);
    }

    /// That edge took a message.
    pub(super) fn is_at(&mut self, connection: ConnectionId, edge: NodeId, now: Instant) {
        self.put(connection, Route::At(edge), now);
    }

    /// An edge, or every edge, said that it does not hold the connection.
    pub(super) fn is_not_at(&mut self, connection: ConnectionId, asked: Option<&NodeId>, now: Instant) {
        if self.still(connection, asked) {
            self.put(connection, Route::Nowhere { since: now }, now);
        }
    }

    /// The edge was lost: it is looked for anew.
    pub(super) fn lost(&mut self, connection: ConnectionId, asked: Option<&NodeId>) {
        if self.still(connection, asked) {
            self.known.remove(&connection);
        }
    }

    /// Whether nothing better was learnt since that edge, or every edge, was asked.
    fn still(&self, connection: ConnectionId, asked: Option<&NodeId>) -> bool {
        match (self.known.get(&connection).map(|entry| &entry.route), asked) {
            (Some(Route::At(edge)), Some(asked)) => edge == asked,
            (Some(Route::Everywhere), None) => true,
            _ => false,
        }
    }

    fn put(&mut self, connection: ConnectionId, route: Route<M>, now: Instant) -> Option<Route<M>> {
        if self.known.len() >= ROUTES {
            self.known.retain(|_, entry| now.saturating_duration_since(entry.used) < UNUSED);
        }
        self.known.insert(connection, Entry { route, used: now }).map(|before| before.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::{Clock, ManualClock};

    const BELIEVED: Duration = Duration::from_secs(1);

    fn parts() -> (Routes<u8>, ManualClock, ConnectionId, NodeId) {
        let clock = ManualClock::at("2026-11-27T10:00:00Z".parse().unwrap());
        (Routes::new(BELIEVED), clock, ConnectionId::fresh(), NodeId("edge-1".into()))
    }

    #[test]
    fn what_waits_goes_in_order_and_the_route_then_holds() {
        let (mut routes, clock, connection, edge) = parts();
        assert_eq!(routes.way(connection, clock.now()), Way::Unknown);
        routes.look(connection, 1, clock.now());
        assert_eq!(routes.way(connection, clock.now()), Way::Looking);
        assert!(routes.wait(connection, 2));
        assert_eq!(routes.found(connection, Some(edge.clone()), clock.now()), [1, 2]);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(routes.way(connection, clock.now()), Way::At(edge), "a connection does not move");
    }

    #[test]
    fn only_so_many_wait() {
        let (mut routes, clock, connection, _) = parts();
        routes.look(connection, 0, clock.now());
        assert_eq!((0..1000).filter(|_| routes.wait(connection, 0)).count(), WAITING - 1);
    }

    #[test]
    fn whoever_takes_a_message_that_all_were_given_has_the_connection() {
        let (mut routes, clock, connection, edge) = parts();
        routes.everywhere(connection, clock.now());
        routes.is_at(connection, edge.clone(), clock.now());
        routes.is_not_at(connection, None, clock.now());
        assert_eq!(routes.way(connection, clock.now()), Way::At(edge), "an older answer takes nothing back");
    }

    #[test]
    fn a_connection_that_nobody_has_is_forgotten_for_a_moment() {
        let (mut routes, clock, connection, edge) = parts();
        routes.is_at(connection, edge.clone(), clock.now());
        routes.is_not_at(connection, Some(&edge), clock.now());
        assert_eq!(routes.way(connection, clock.now()), Way::Nowhere);
        clock.advance(BELIEVED);
        assert_eq!(routes.way(connection, clock.now()), Way::Unknown);
    }

    #[test]
    fn an_edge_that_is_lost_is_looked_for_anew() {
        let (mut routes, clock, connection, edge) = parts();
        routes.is_at(connection, edge.clone(), clock.now());
        routes.lost(connection, Some(&NodeId("another".into())));
        assert_eq!(routes.way(connection, clock.now()), Way::At(edge.clone()));
        routes.lost(connection, Some(&edge));
        assert_eq!(routes.way(connection, clock.now()), Way::Unknown);
    }
}
