//! Actors as lines of text: as many columns as fit, the worst sessions first.

use maya_protocol::tree::{ActorView, Busy, NodeView};
use std::{cmp::Reverse, fmt::Write as _};

/// What a column is called, how wide it is, and what it shows.
struct Column {
    name: &'static str,
    width: usize,
    shows: fn(&ActorView) -> String,
}

/// The more important first: those that do not fit are left out from the end.
const COLUMNS: &[Column] = &[
    Column { name: "PHASE", width: 13, shows: |actor| actor.phase.clone() },
    Column { name: "STATE", width: 5, shows: |actor| state(actor.busy).to_owned() },
    Column { name: "MAILBOX", width: 7, shows: |actor| figure(actor.mailbox) },
    Column {
        name: "OLDEST",
        width: 7,
        shows: |actor| if actor.oldest_ms > 0 { span(actor.oldest_ms) } else { String::new() },
    },
    Column { name: "AGE", width: 7, shows: |actor| span(actor.age_ms) },
    Column { name: "WAITS FOR", width: 12, shows: |actor| actor.waits_for.clone().unwrap_or_default() },
    Column { name: "RESTARTS", width: 8, shows: |actor| figure(actor.restarts.into()) },
    Column { name: "LAG", width: 6, shows: lag },
    Column { name: "TURN", width: 6, shows: turn },
    Column { name: "MSG/S", width: 6, shows: |actor| format!("{:.1}", actor.rate) },
    Column { name: "LAST FAILURE", width: 40, shows: failure },
];
/// The actor itself, in front.
const NAME: usize = 44;
const NARROW_NAME: usize = 24;

/// The nodes with their actors, `columns` wide; at most `lines` long, where that is given.
pub(super) fn of(nodes: Vec<NodeView>, columns: usize, lines: Option<usize>) -> String {
    let name = if columns < 110 { NARROW_NAME } else { NAME };
    let mut left = columns.saturating_sub(name);
    let shown: Vec<&Column> = COLUMNS
        .iter()
        .take_while(|column| {
            let fits = left > column.width;
            left = left.saturating_sub(column.width + 1);
            fits
        })
        .collect();
    let mut rows = vec![line(name, "ACTOR", shown.iter().map(|column| (column.width, column.name.to_owned())))];
    for node in nodes {
        let roles = node.roles.join(",");
        let head = format!("{} ({roles}; {:?}; {} sessions)", node.id, node.state, node.sessions);
        rows.push(cut(&head, columns));
        if let Some(tree) = node.tree {
            add(tree, 1, name, &shown, &mut rows);
        }
    }
    let hidden = lines.map_or(0, |lines| rows.len().saturating_sub(lines.saturating_sub(2)));
    rows.truncate(rows.len() - hidden);
    if hidden > 0 {
        rows.push(cut(&format!("… and {hidden} more, better ones"), columns.max(NARROW_NAME)));
    }
    rows.into_iter().fold(String::new(), |text, row| text + row.trim_end() + "\n")
}

fn add(mut actor: ActorView, depth: usize, name: usize, shown: &[&Column], rows: &mut Vec<String>) {
    let label = match &actor.session {
        Some(session) => session.interview_id.to_string(),
        None if actor.name.is_empty() => actor.kind.clone(),
        None => format!("{} {}", actor.kind, actor.name),
    };
    let label = format!("{}{label}", "  ".repeat(depth.min(4)));
    rows.push(line(name, &label, shown.iter().map(|column| (column.width, (column.shows)(&actor)))));
    let mut children = std::mem::take(&mut actor.children);
    children.sort_by_cached_key(|child| Reverse(badness(child)));
    for child in children {
        add(child, depth + 1, name, shown, rows);
    }
}

/// The worse, the greater; an actor is as bad as the worst below it.
fn badness(actor: &ActorView) -> (u8, u64, u64, u32, bool) {
    let busy = match actor.busy {
        Busy::Stuck => 2,
        Busy::Busy => 1,
        Busy::Idle => 0,
    };
    let lag = actor.session.as_ref().map_or(0, |session| session.audio_lag_ms);
    let own = (busy, lag, actor.mailbox, actor.restarts, actor.last_failure.is_some());
    actor.children.iter().map(badness).max().map_or(own, |below| below.max(own))
}

fn line(name: usize, label: &str, cells: impl Iterator<Item = (usize, String)>) -> String {
    let mut text = format!("{:<name$}", cut(label, name));
    for (width, cell) in cells {
        let _ = write!(text, " {:<width$}", cut(&cell, width));
    }
    text
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn state(busy: Busy) -> &'static str {
    match busy {
        Busy::Idle => "",
        Busy::Busy => "busy",
        Busy::Stuck => "STUCK",
    }
}

fn figure(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{:.1}s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{}m{:02}", ms / 60_000, ms / 1000 % 60),
        _ => format!("{}h{:02}", ms / 3_600_000, ms / 60_000 % 60),
    }
}

fn lag(actor: &ActorView) -> String {
    actor
        .session
        .as_ref()
        .filter(|session| session.audio_lag_ms >= 300)
        .map_or_else(String::new, |s| span(s.audio_lag_ms))
}

fn turn(actor: &ActorView) -> String {
    let total = actor.session.as_ref().map_or(0, |session| session.latency_ms.total);
    if total == 0 { String::new() } else { span(total) }
}

fn failure(actor: &ActorView) -> String {
    actor.last_failure.as_ref().map_or_else(String::new, |failure| failure.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn actor(name: &str, busy: &str, children: Value) -> Value {
        json!({"id": name, "kind": "session", "name": name, "phase": "listening", "ageMs": 1500, "mailbox": 0, "oldestMs": 0,
            "handled": 7, "restarts": 1, "lastFailure": {"at": "2026-01-01T00:00:00Z", "reason": "it fell"}, "busy": busy,
            "children": children})
    }

    fn nodes() -> Vec<NodeView> {
        let well = actor("well", "IDLE", json!([]));
        let bad = actor("bad", "IDLE", json!([actor("ear", "STUCK", json!([]))]));
        let tree = actor("node", "IDLE", json!([well, bad]));
        let node = json!({"id": "node-1", "roles": ["interviewer"], "zone": null, "version": "0.1.0", "state": "SERVING",
            "startedAt": "2026-01-01T00:00:00Z", "sessions": 1, "tree": tree});
        vec![serde_json::from_value(node).unwrap()]
    }

    #[test]
    fn the_worst_stands_first_with_what_makes_it_so() {
        let shown = of(nodes(), 200, None);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 6, "{shown}");
        assert!(lines[3].contains("bad") && lines[4].contains("STUCK") && lines[5].contains("well"), "{shown}");
        assert!(lines[3].contains("1.5s") && lines[3].contains("it fell"), "{shown}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_page_longer() {
        for columns in [20, 40, 80, 110, 120, 200] {
            let shown = of(nodes(), columns, Some(6));
            assert!(shown.lines().all(|line| line.chars().count() <= columns.max(NARROW_NAME)), "{columns}:\n{shown}");
            assert!(shown.lines().count() <= 6, "{shown}");
            assert!(shown.contains("and 2 more") || columns < 40, "{shown}");
        }
    }
}
