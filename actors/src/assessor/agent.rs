//! The assessor on the bus: `interview.completed` in, `interview.assessment.ready` out.

use super::{LlmAssessor, assess};
use async_trait::async_trait;
use maya_protocol::{
    event::{AssessmentOutcome, AssessmentReady, Event, Payload},
    interview::Assessment,
    session::Outcome,
    topic::Topic,
};
use maya_providers::llm::LanguageModel;
use maya_store::{
    Store,
    inbox::{Done, HandleError, Handler},
    sessions, turns,
};
use std::{sync::Arc, time::Duration};

/// The assessor.
pub struct AssessorAgent {
    store: Store,
    model: Option<LlmAssessor>,
}

impl AssessorAgent {
    /// Judges with that model, by the rubric's signals alone where there is none.
    pub fn new(store: Store, model: Option<Arc<dyn LanguageModel>>) -> Self {
        Self { store, model: model.map(LlmAssessor::new) }
    }
}

#[async_trait]
impl Handler for AssessorAgent {
    fn consumer(&self) -> &'static str {
        "assessor"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::InterviewCompleted]
    }
    fn parallel(&self) -> usize {
        4
    }
    fn patience(&self) -> Duration {
        Duration::from_secs(240)
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let Payload::InterviewCompleted(completed) = &event.payload else { return Ok(()) };
        if !matches!(completed.outcome, Outcome::Completed | Outcome::Abandoned) {
            return Ok(());
        }
        let mut tx = self.store.tenant(event.tenant).await?;
        let session = sessions::read(&mut tx, completed.session_id).await?;
        let (_, plan) = sessions::plan(&mut tx, completed.interview_id, Some(session.plan_version)).await?;
        let turns = turns::of_interview(&mut tx, completed.interview_id).await?;
        drop(tx);
        let assessment: Assessment = match &self.model {
            None => assess(&plan, &turns),
            Some(model) => model.judge(&plan, &turns).await,
        };
        let ready = AssessmentReady {
            interview_id: completed.interview_id,
            outcome: AssessmentOutcome::Generated { assessment },
        };
        let answer = Event::new(event.tenant, self.store.clock().utc(), ready);
        let mut tx = self.store.tenant(event.tenant).await?;
        if done.mark(&mut tx).await? {
            tx.publish(&answer, None).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
