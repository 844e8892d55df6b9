//! Every key, in one place. What is changed together shares a `{tag}`, so that a Redis Cluster keeps it together.
//!
//! | key (after `maya:<env>:`) | type | holds |
//! |---|---|---|
//! | `{nodes}:seen` | sorted set | node id, scored by the time its record dies |
//! | `{nodes}:records` | hash | node id -> record (JSON) |
//! | `{nodes}:born` | string | when the first thing was told after a loss of data (ms) |
//! | `session:{<id>}:owner` | hash | `epoch`, `data` = node id |
//! | `session:{<id>}:socket` | hash | `generation`; `edge` and `connection` while there is one |
//! | `session:{<id>}:live` | hash | `epoch`, `data` = live state (JSON) |
//! | `session:{<id>}:resume` | hash | `epoch`, `data` = resume record |
//! | `session:{<id>}:batch` | string | PCM awaiting its debounce |
//! | `session:{<id>}:revoked` | string | highest revoked generation of the join link |
//! | `rate:{<key>}` | string | calls in this window |
//! | `tenant:{<id>}:live` | sorted set | session id, scored by the time its place is free again |

use crate::ids::{SessionId, TenantId};

/// Names the keys of one environment.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(env: &str) -> Self {
        Self { prefix: format!("maya:{env}:") }
    }
    pub(super) fn nodes_seen(&self) -> String {
        format!("{}{{nodes}}:seen", self.prefix)
    }
    pub(super) fn nodes_records(&self) -> String {
        format!("{}{{nodes}}:records", self.prefix)
    }
    pub(super) fn nodes_born(&self) -> String {
        format!("{}{{nodes}}:born", self.prefix)
    }
    pub(super) fn owner(&self, session: SessionId) -> String {
        self.session(session, "owner")
    }
    pub(super) fn socket(&self, session: SessionId) -> String {
        self.session(session, "socket")
    }
    pub(super) fn live(&self, session: SessionId) -> String {
        self.session(session, "live")
    }
    pub(super) fn resume(&self, session: SessionId) -> String {
        self.session(session, "resume")
    }
    pub(super) fn batch(&self, session: SessionId) -> String {
        self.session(session, "batch")
    }
    pub(super) fn revoked(&self, session: SessionId) -> String {
        self.session(session, "revoked")
    }
    pub(super) fn rate(&self, key: &str) -> String {
        format!("{}rate:{{{key}}}", self.prefix)
    }
    pub(super) fn quota(&self, tenant: TenantId) -> String {
        format!("{}tenant:{{{tenant}}}:live", self.prefix)
    }
    fn session(&self, session: SessionId, what: &str) -> String {
        format!("{}session:{{{session}}}:{what}", self.prefix)
    }
}
