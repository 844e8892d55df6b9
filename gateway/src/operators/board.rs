//! The nodes and their actors as they were last told. An actor is kept as the JSON that its node wrote: it is read again
//! only where one is asked for by itself, and sent on as it came.

use bytes::{BufMut, Bytes, BytesMut};
use maya_protocol::{
    ids::NodeId,
    tree::{ActorView, Known, NodeView, TreeChanges, nest},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

/// All nodes.
#[derive(Default)]
pub(super) struct Board {
    nodes: BTreeMap<NodeId, Shown>,
    snapshot: Option<Bytes>,
}

struct Shown {
    node: NodeView,
    known: Known,
    actors: HashMap<u64, (Bytes, Instant)>,
}

/// What changed at one look.
#[derive(Default)]
pub(super) struct Change {
    nodes: Vec<Bytes>,
    gone: Vec<NodeId>,
}

impl Change {
    /// As an event; nothing changed, nothing to tell.
    pub(super) fn event(self) -> Option<Bytes> {
        if self.nodes.is_empty() && self.gone.is_empty() {
            return None;
        }
        let gone = serde_json::to_vec(&self.gone).expect("ids are plain data");
        Some(event("delta", &self.nodes, Some(&gone)))
    }
}

impl Board {
    /// What is known of a node's tree.
    pub(super) fn known(&self, node: &NodeId) -> Known {
        self.nodes.get(node).map(|shown| shown.known.clone()).unwrap_or_default()
    }

    /// Forgets all nodes but these.
    pub(super) fn keep_only(&mut self, ids: &[&NodeId], change: &mut Change) {
        let gone: Vec<NodeId> = self.nodes.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in gone {
            self.nodes.remove(&id);
            self.snapshot = None;
            change.gone.push(id);
        }
    }

    /// Takes what a node told.
    pub(super) fn take(&mut self, told: TreeChanges, now: Instant, change: &mut Change) {
        let TreeChanges { node, known, whole, rows, removed } = told;
        let before = self.nodes.get_mut(&node.id);
        let is_new = before.is_none();
        let changed = before.as_ref().is_none_or(|shown| shown.node != node);
        let forgets = whole && before.as_ref().is_some_and(|shown| !shown.actors.is_empty());
        if !changed && !forgets && rows.is_empty() && removed.is_empty() {
            if let Some(shown) = before {
                shown.known = known;
            }
            return;
        }
        let jsons: Vec<Bytes> = rows.iter().map(|(_, json)| json.clone()).collect();
        change.nodes.push(told_of(&node, whole || is_new, &jsons, &removed));
        let shown = self.nodes.entry(node.id.clone()).or_insert_with(|| Shown {
            node: node.clone(),
            known: Known::default(),
            actors: HashMap::new(),
        });
        if whole {
            shown.actors.clear();
        }
        shown.actors.extend(rows.into_iter().map(|(id, json)| (id, (json, now))));
        for id in &removed {
            shown.actors.remove(id);
        }
        (shown.node, shown.known) = (node, known);
        self.snapshot = None;
    }

    /// All there is, as an event; made once for all who begin before the next change.
    pub(super) fn snapshot(&mut self) -> Bytes {
        if let Some(snapshot) = &self.snapshot {
            return snapshot.clone();
        }
        let nodes: Vec<Bytes> = self
            .nodes
            .values()
            .map(|shown| {
                let rows: Vec<Bytes> = shown.actors.values().map(|(json, _)| json.clone()).collect();
                told_of(&shown.node, true, &rows, &[])
            })
            .collect();
        self.snapshot.insert(event("snapshot", &nodes, None)).clone()
    }

    /// The nodes, without their actors.
    pub(super) fn heads(&self) -> Vec<NodeView> {
        self.nodes.values().map(|shown| shown.node.clone()).collect()
    }

    /// The nodes with their actors as trees, whose ages are counted on to now.
    pub(super) fn views(&self, now: Instant) -> Vec<NodeView> {
        let tree = |shown: &Shown| {
            let mut rows: Vec<_> = shown.actors.iter().collect();
            rows.sort_by_key(|(id, _)| **id);
            let actors = rows.into_iter().filter_map(|(_, (json, then))| {
                let mut actor: ActorView = serde_json::from_slice(json).ok()?;
                let since = now.saturating_duration_since(*then).as_millis() as u64;
                actor.age_ms += since;
                if actor.mailbox > 0 && actor.oldest_ms > 0 {
                    actor.oldest_ms += since;
                }
                Some(actor)
            });
            nest(actors.collect())
        };
        self.nodes.values().map(|shown| NodeView { tree: tree(shown), ..shown.node.clone() }).collect()
    }
}

/// `{"node":{…},"whole":…,"actors":[…],"removed":[…]}`
fn told_of(node: &NodeView, whole: bool, rows: &[Bytes], removed: &[u64]) -> Bytes {
    let head = serde_json::to_vec(node).expect("a node's view has string keys");
    let mut json = BytesMut::with_capacity(head.len() + rows.iter().map(|row| row.len() + 1).sum::<usize>() + 64);
    json.put_slice(b"{\"node\":");
    json.put_slice(&head);
    json.put_slice(if whole { b",\"whole\":true,\"actors\":[" } else { b",\"whole\":false,\"actors\":[" });
    list(&mut json, rows);
    json.put_slice(b"],\"removed\":");
    json.put_slice(&serde_json::to_vec(removed).expect("numbers are plain data"));
    json.put_slice(b"}");
    json.freeze()
}

fn event(name: &str, nodes: &[Bytes], gone: Option<&[u8]>) -> Bytes {
    let mut text = BytesMut::with_capacity(nodes.iter().map(|node| node.len() + 1).sum::<usize>() + 128);
    text.put_slice(format!("event: {name}\ndata: {{\"nodes\":[").as_bytes());
    list(&mut text, nodes);
    text.put_slice(b"]");
    if let Some(gone) = gone {
        text.put_slice(b",\"gone\":");
        text.put_slice(gone);
    }
    text.put_slice(b"}\n\n");
    text.freeze()
}

fn list(json: &mut BytesMut, items: &[Bytes]) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.put_u8(b',');
        }
        json.put_slice(item);
    }
}
