//! The interviewer on the bus: an approved plan prepares the session, a command reaches it wherever it lives.

use crate::{
    opening,
    parts::Parts,
    placement::{MoveError, Placement},
};
use async_trait::async_trait;
use maya_protocol::{
    event::{Command, Event, Payload},
    ids::SessionId,
    operation::Operation,
    rpc::{ActError, PeerHandler, Peers},
    session::Outcome,
    topic::Topic,
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use maya_store::{
    inbox::{Done, HandleError, Handler},
    sessions, workflow,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What one node asks of another, over `Peers::act`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "act")]
pub(crate) enum Act {
    /// Give a session up for the node that asks; answers [`Given`](crate::placement::Given).
    #[serde(rename_all = "camelCase")]
    HandOver { session: SessionId },
    /// Take a session that was given up, and keep it.
    #[serde(rename_all = "camelCase")]
    Take { session: SessionId, partition: u32 },
    /// Give a session that lives with you a command.
    #[serde(rename_all = "camelCase")]
    Command { session: SessionId, command: Command },
}

impl Act {
    /// As it travels.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("an act is plain data")
    }
}

/// Words the opening as soon as the plan is approved.
pub struct ApprovedHandler {
    parts: Parts,
}
impl ApprovedHandler {
    /// With the node's parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl Handler for ApprovedHandler {
    fn consumer(&self) -> &'static str {
        "interviewer"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::InterviewApproved]
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let Payload::InterviewApproved(approved) = &event.payload else { return Ok(()) };
        let mut tx = self.parts.store.tenant(event.tenant).await?;
        let interview = workflow::read(&mut tx, approved.interview_id).await?;
        let (_, plan) = sessions::plan(&mut tx, approved.interview_id, Some(approved.plan_version)).await?;
        drop(tx);
        let words = opening::word(&self.parts, &opening::facts(&interview.brief, &plan)).await;
        let mut tx = self.parts.store.tenant(event.tenant).await?;
        if done.mark(&mut tx).await? {
            sessions::keep_opening(&mut tx, approved.session_id, &words).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Takes commands to the node that owns their session.
pub struct CommandHandler {
    parts: Parts,
    placement: Placement,
    peers: Arc<Peers>,
}
impl CommandHandler {
    /// For the sessions of that placement and of its peers.
    pub fn new(parts: Parts, placement: Placement, peers: Arc<Peers>) -> Self {
        Self { parts, placement, peers }
    }
}

#[async_trait]
impl Handler for CommandHandler {
    fn consumer(&self) -> &'static str {
        "interviewer.commands"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::SessionCommand]
    }
    fn lease(&self) -> Duration {
        Duration::from_secs(10)
    }
    async fn handle(&self, event: &Event, _done: Done) -> Result<(), HandleError> {
        let Payload::SessionCommand(asked) = &event.payload else { return Ok(()) };
        let (session, command) = (asked.session_id, asked.command.clone());
        if let Command::Move { to } = command {
            // a session that lives elsewhere, or nowhere, is not this node's to move
            let moved = self.placement.move_session(session, Some(to)).await;
            return moved.or_else(|why| match why {
                MoveError::NotReleased => Err(HandleError::Retry(why.to_string())),
                MoveError::NotHere | MoveError::NoTarget | MoveError::NotTaken(_) => Ok(()),
            });
        }
        if self.placement.command(session, command.clone()) {
            return Ok(());
        }
        if self.placement.is_starting(session) {
            return Err(HandleError::Retry("the session is being started".to_owned()));
        }
        let away =
            |error: &dyn std::fmt::Display| HandleError::Retry(format!("the session's owner does not answer: {error}"));
        let owner = self.parts.registry.owner(session).await.map_err(|error| away(&error))?;
        if let Some(owner) = owner.filter(|owner| owner.node != self.parts.node) {
            let nodes = self.parts.registry.nodes().await.map_err(|error| away(&error))?;
            if let Some(node) = nodes.iter().find(|node| node.id == owner.node) {
                let act = Act::Command { session, command };
                return match self.peers.act(&node.rpc, &act.to_value()).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(HandleError::Retry(error.to_string())),
                    Err(error) => Err(away(&error)),
                };
            }
        }
        let (outcome, reason) = match command {
            Command::Cancel => (Outcome::Cancelled, "cancelled"),
            Command::Expire => (Outcome::Expired, "expired"),
            Command::End => (Outcome::Completed, "requested"),
            Command::Move { .. } | Command::Revoke => return Ok(()),
        };
        if self.placement.end_unowned(session, outcome, reason).await? {
            Ok(())
        } else {
            Err(HandleError::Retry("the session has an owner that does not answer".to_owned()))
        }
    }
}

/// What an interviewer node answers to its peers.
pub struct InterviewerPeer {
    parts: Parts,
    placement: Placement,
    roles: Vec<String>,
    zone: Option<String>,
    started_at: chrono::DateTime<chrono::Utc>,
    state: Arc<dyn Fn() -> NodeState + Send + Sync>,
}
impl InterviewerPeer {
    /// For that placement; `roles` are all of the process's.
    pub fn new(
        parts: Parts,
        placement: Placement,
        roles: Vec<String>,
        zone: Option<String>,
        state: Arc<dyn Fn() -> NodeState + Send + Sync>,
    ) -> Self {
        let started_at = parts.clock.utc();
        Self { parts, placement, roles, zone, started_at, state }
    }
}

#[async_trait]
impl PeerHandler for InterviewerPeer {
    async fn tree(&self, known: &Known) -> Option<TreeChanges> {
        let node = NodeView {
            id: self.parts.node.clone(),
            roles: self.roles.clone(),
            zone: self.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: (self.state)(),
            started_at: self.started_at,
            sessions: self.placement.sessions(),
            tree: None,
        };
        Some(self.parts.observer.changes(known, node))
    }
    async fn act(&self, action: Value) -> Result<Value, ActError> {
        if let Ok(operation) = serde_json::from_value::<Operation>(action.clone()) {
            let done = self.placement.operate(operation).await;
            return done.map(|()| Value::Null).map_err(ActError::Refused);
        }
        let act: Act = serde_json::from_value(action).map_err(|_| ActError::Unknown)?;
        let refused = |why: &dyn std::fmt::Display| ActError::Refused(why.to_string());
        match act {
            Act::HandOver { session } => {
                let given = self.placement.give(session).await;
                serde_json::to_value(given).map_err(|error| refused(&error))
            }
            Act::Take { session, partition } => {
                self.placement.take(session, partition);
                Ok(Value::Null)
            }
            Act::Command { session, command } => {
                let told = self.placement.command(session, command);
                if told { Ok(Value::Null) } else { Err(refused(&"the session does not live here")) }
            }
        }
    }
}
