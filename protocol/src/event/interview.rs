//! Events of the interview's workflow: created, planned, approved, judged.

use crate::{
    ids::{InterviewId, SessionId},
    interview::{Assessment, InterviewBrief, MissingField, Recommendation},
    plan::Plan,
};
use serde::{Deserialize, Serialize};

/// Data validation failed: a person must complete it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InfoNeeded {
    /// Which interview.
    pub interview_id: InterviewId,
    /// The recruiter system's id.
    pub external_id: Option<String>,
    /// What is absent.
    pub missing: Vec<MissingField>,
}

/// Data complete: match the skills and write a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkillValidationRequested {
    /// Which interview.
    pub interview_id: InterviewId,
    /// Version of the interview that asks; an answer to an older one is stale.
    pub interview_version: i64,
    /// What is known of it.
    pub brief: InterviewBrief,
    /// Why the last plan was rejected, where it was.
    #[serde(default)]
    pub feedback: Option<String>,
}

/// The planner's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCreated {
    /// Which interview.
    pub interview_id: InterviewId,
    /// The version that asked.
    pub interview_version: i64,
    /// A plan, or why there is none.
    #[serde(flatten)]
    pub outcome: PlanOutcome,
}

/// A plan, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "outcome")]
pub enum PlanOutcome {
    /// Written.
    #[allow(missing_docs)]
    Planned { plan: Plan },
    /// Refused, for good.
    #[allow(missing_docs)]
    Refused { reason: String },
}

/// A person approved the plan: prepare the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterviewApproved {
    /// Which interview.
    pub interview_id: InterviewId,
    /// Its one session.
    pub session_id: SessionId,
    /// The session's partition of the audio topics.
    pub partition: u32,
    /// Which plan was approved.
    pub plan_version: i64,
}

/// The assessor's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentReady {
    /// Which interview.
    pub interview_id: InterviewId,
    /// An assessment, or why there is none.
    #[serde(flatten)]
    pub outcome: AssessmentOutcome,
}

/// An assessment, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "outcome")]
pub enum AssessmentOutcome {
    /// Written.
    #[allow(missing_docs)]
    Generated { assessment: Assessment },
    /// Refused, for good.
    #[allow(missing_docs)]
    Refused { reason: String },
}

/// A recruiter approved the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentCompleted {
    /// Which interview.
    pub interview_id: InterviewId,
    /// The recruiter system's id.
    pub external_id: Option<String>,
    /// Which assessment was approved.
    pub assessment_version: i64,
    /// The verdict.
    pub recommendation: Recommendation,
}
