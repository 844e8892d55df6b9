//! The interviewer begins when it can hear and speak: a second or two after the API, longer where models must be
//! fetched. A candidate who joins before that waits; the join stays on the bus, and the interviewer reads a little back.

use super::{Start, node::node_state};
use crate::{
    config::{self, Role},
    platform::{connect::Shared, heartbeat::Report, senses::Talking},
};
use anyhow::Context as _;
use futures::FutureExt as _;
use maya_actors::{
    interviewer::{ApprovedHandler, CommandHandler, InterviewerPeer},
    observe::Observer,
    parts::{InterviewSettings, Parts},
    placement::{Budget, Placement},
    quota::Quotas,
    session::asides::Asides,
};
use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{sync::Arc, time::Duration};

/// How long to wait after the bus failed.
const PAUSE: Duration = Duration::from_secs(1);

impl Start {
    /// Begins now if all senses are there, otherwise when they are.
    pub(super) async fn interviewer(&self) {
        match self.senses.talking.clone().now_or_never() {
            Some(talking) => self.interview(&talking).await,
            None => {
                let this = self.clone();
                self.tasks.spawn(async move {
                    let talking = this.senses.talking.clone();
                    if let Some(talking) = this.stop.run_until_cancelled(talking).await {
                        this.interview(&talking).await;
                    }
                });
            }
        }
    }

    /// Tries until it was begun, however often the bus fails meanwhile.
    async fn interview(&self, talking: &Talking) {
        while let Err(error) = self.try_interview(talking).await {
            tracing::warn!(error = %format!("{error:#}"), "the interviewer cannot begin, and tries again");
            if self.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
        }
        // whoever stops the roles may have looked before there was anything to stop
        if self.stop.is_cancelled() {
            self.running.stop_sessions().await;
        }
    }

    async fn try_interview(&self, talking: &Talking) -> anyhow::Result<()> {
        let Shared { store, bus, registry } = self.shared.clone();
        let interview = &self.config.interview;
        let parts = Parts {
            node: self.node.clone(),
            store,
            bus,
            registry,
            clock: self.clock.clone(),
            observer: Observer::new(self.node.clone(), self.clock.clone()),
            rng: Arc::new(Mutex::new(StdRng::from_os_rng())),
            pulse: self.pulse.clone(),
            quotas: Quotas::new(self.clock.clone()),
            asides: Asides::default(),
            senses: talking.interview.clone(),
            settings: InterviewSettings {
                silence: Duration::from_secs(interview.silence_seconds),
                grace: Duration::from_secs(interview.grace_seconds),
                max_silence: Duration::from_millis(interview.max_silence_ms),
                longest_piece: Duration::from_millis(interview.max_piece_ms),
                batch_debounce: Duration::from_millis(interview.batch_debounce_ms),
                budget: budget(&self.config.budget),
                ..InterviewSettings::default()
            },
        };
        let peers = Arc::new(self.peers()?);
        // partitions are given to who is in the list
        self.serving.add(Role::Interviewer);
        self.heartbeat.beat(Report::FRESH).await;
        let placement = Placement::start(parts.clone(), self.peers()?, self.stop.clone())
            .await
            .context("the interviewer's reading")?;
        let draining = self.draining.clone();
        self.running.answering.add_first(Arc::new(InterviewerPeer::new(
            parts.clone(),
            placement.clone(),
            self.serving.names(),
            self.config.node.zone.clone(),
            Arc::new(move || node_state(&draining)),
        )));
        self.consume(ApprovedHandler::new(parts.clone()));
        self.consume(CommandHandler::new(parts, placement.clone(), peers));
        let _ = self.running.placement.set(placement);
        self.open(Role::Interviewer, self.needs().router());
        for line in &talking.report {
            tracing::info!("{line}");
        }
        tracing::info!("the interviewer is ready");
        Ok(())
    }
}

fn budget(config: &config::Budget) -> Budget {
    Budget {
        sessions: config.max_sessions,
        tenant_sessions: config.max_sessions_per_tenant,
        lag: Duration::from_millis(config.max_lag_ms),
        memory: config.max_memory_mb.map_or_else(Budget::machine_memory, |mb| mb << 20),
    }
}
