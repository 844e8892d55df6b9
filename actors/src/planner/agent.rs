//! The planner on the bus: `skill.validation.requested` in, `interview.plan.created` out.

use super::{
    Catalogue, LlmPlanner, MatchSettings, PlanRefused, PlanRequest, QuestionBank, ResolveError, ResolvedSkill,
    index::PgIndex, plan, resolve,
};
use async_trait::async_trait;
use maya_protocol::{
    event::{Event, Payload, PlanCreated, PlanOutcome, SkillValidationRequested},
    ids::TenantId,
    interview::RequestedSkill,
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
    embedder: Option<Arc<dyn Embedder>>,
    model: Option<LlmPlanner>,
}

impl PlannerAgent {
    /// Plans with that model, with the question bank alone where there is none. Without an embedder skills are matched
    /// by name only.
    pub fn new(store: Store, embedder: Option<Arc<dyn Embedder>>, model: Option<Arc<dyn LanguageModel>>) -> Self {
        let model = model.map(|model| LlmPlanner::new(model, QuestionBank::seeded()));
        Self { store, embedder, model }
    }

    async fn resolve(
        &self,
        tenant: TenantId,
        asked: &[RequestedSkill],
        embedder: Option<&dyn Embedder>,
    ) -> Result<Vec<ResolvedSkill>, ResolveError> {
        let index = PgIndex::new(self.store.clone(), tenant, embedder);
        resolve(asked, Catalogue::seeded(), &index, embedder, &MatchSettings::default()).await
    }

    async fn write(&self, event: &Event, asked: &SkillValidationRequested) -> Result<Plan, HandleError> {
        let (mut embedder, wanted) = (self.embedder.as_deref(), &asked.brief.skills);
        let mut skills = self.resolve(event.tenant, wanted, embedder).await;
        if let Err(ResolveError::Embedder(error)) = &skills {
            tracing::warn!(interview = %asked.interview_id, %error, "skills are matched by name only");
            embedder = None;
            skills = self.resolve(event.tenant, wanted, embedder).await;
        }
        let skills = skills.map_err(|error| HandleError::Retry(error.to_string()))?;
        let request = PlanRequest {
            brief: asked.brief.clone(),
            skills,
            by_name_only: embedder.is_none(),
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
    fn patience(&self) -> Duration {
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
