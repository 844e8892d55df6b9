//! The planner on the bus: `skill.validation.requested` in, `interview.plan.created` out.

use super::{
    Catalogue, LlmPlanner, MatchSettings, PlanRefused, PlanRequest, QuestionBank, ResolveError, index::PgIndex, plan,
    resolve,
};
use async_trait::async_trait;
use maya_protocol::{
    event::{Event, Payload, PlanCreated, PlanOutcome, SkillValidationRequested},
    plan::Plan,
    topic::Topic,
};
use maya_providers::{embed::Embedder, llm::LanguageModel};
use maya_store::{
    Store,
    inbox::{Done, HandleError, Handler},
};
use std::{sync::Arc, time::Duration};

/// The planner.
pub struct PlannerAgent {
    store: Store,
    embedder: Arc<dyn Embedder>,
    model: Option<LlmPlanner>,
}

impl PlannerAgent {
    /// Plans with that model, with the question bank alone where there is none.
    pub fn new(store: Store, embedder: Arc<dyn Embedder>, model: Option<Arc<dyn LanguageModel>>) -> Self {
        let model = model.map(|model| LlmPlanner::new(model, QuestionBank::seeded()));
        Self { store, embedder, model }
    }

    async fn write(&self, event: &Event, asked: &SkillValidationRequested) -> Result<Plan, HandleError> {
        let index = PgIndex::new(self.store.clone(), event.tenant, self.embedder.as_ref());
        let skills = resolve(
            &asked.brief.skills,
            Catalogue::seeded(),
            &index,
            self.embedder.as_ref(),
            &MatchSettings::default(),
        )
        .await
        .map_err(|error| match error {
            ResolveError::Embedder(error) if !error.is_retryable() => HandleError::Never(error.to_string()),
            error => HandleError::Retry(error.to_string()),
        })?;
        let request = PlanRequest {
            brief: asked.brief.clone(),
            skills,
            // a regenerated plan asks other questions
            rotation: if asked.feedback.is_some() { asked.interview_version as u32 } else { 0 },
            feedback: asked.feedback.clone(),
        };
        let planned = match &self.model {
            Some(model) => model.plan(&request).await,
            None => plan(&request, QuestionBank::seeded()),
        };
        planned.map_err(|refused: PlanRefused| HandleError::Never(refused.to_string()))
    }
}

#[async_trait]
impl Handler for PlannerAgent {
    fn consumer(&self) -> &'static str {
        "planner"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::SkillValidationRequested]
    }
    fn parallel(&self) -> usize {
        4
    }
    fn lease(&self) -> Duration {
        Duration::from_secs(180)
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let Payload::SkillValidationRequested(asked) = &event.payload else { return Ok(()) };
        let outcome = match self.write(event, asked).await {
            Ok(plan) => PlanOutcome::Planned { plan },
            // for good: the interview must not wait for ever
            Err(HandleError::Never(reason)) => PlanOutcome::Refused { reason },
            Err(error) => return Err(error),
        };
        let created =
            PlanCreated { interview_id: asked.interview_id, interview_version: asked.interview_version, outcome };
        let answer = Event::new(event.tenant, self.store.clock().utc(), created);
        let mut tx = self.store.tenant(event.tenant).await?;
        if done.mark(&mut tx).await? {
            tx.publish(&answer, None).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
