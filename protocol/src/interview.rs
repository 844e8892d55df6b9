//! What an interview is made of, as it travels in events and in the API (camelCase JSON).

use crate::ids::TurnId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Seniority of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// First job or close to it.
    Junior,
    /// Works alone on known ground.
    Mid,
    /// Works alone on new ground.
    Senior,
    /// Answers for the work of others.
    Lead,
}

/// What the recruiter's system sent; any field may be absent, completeness decides what that means.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterviewBrief {
    /// The recruiter system's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where this interview's webhooks also go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// BCP 47, e.g. `en-US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whole minutes, 1 to 180.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    /// When the interview may begin; at once where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<DateTime<Utc>>,
    /// When the interview may no longer take place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Who is interviewed.
    pub candidate: Candidate,
    /// For what.
    pub position: Position,
    /// What is asked of them.
    pub skills: Vec<RequestedSkill>,
    /// The recruiter system's own data, returned as it came.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// Who is interviewed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Candidate {
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address for the join link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// The position.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Position {
    /// Job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Seniority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One asked-for skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedSkill {
    /// As the recruiter wrote it.
    pub name: String,
    /// As the recruiter wrote it; the position's level where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Whether the position cannot be filled without it.
    #[serde(default)]
    pub must_have: bool,
}

/// How much the absence of a field matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// Nothing goes on without it.
    Critical,
    /// Waits for a person, who may waive it.
    High,
    /// Goes on, with a warning.
    Medium,
}

/// An absent field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingField {
    /// Path in the create body, e.g. `candidate.email`.
    pub field: String,
    /// What its absence means.
    pub severity: Severity,
    /// For a person.
    pub message: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Speaker {
    /// The person interviewed.
    Candidate,
    /// The interviewer.
    Maya,
}

/// One finalised utterance or reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Its place in the conversation.
    pub turn_id: TurnId,
    /// Who spoke.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; of Maya's turns, when its audio was released.
    pub ended_at: DateTime<Utc>,
    /// What a rebuild needs and no reader of a transcript does.
    #[serde(default)]
    pub context: TurnContext,
}

/// The part of a turn that rebuilds a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TurnContext {
    /// Index of the plan's question (over all sections) that this turn belongs to.
    pub question: Option<u32>,
    /// Indices of that question's follow-ups already put.
    pub follow_ups: Vec<u32>,
    /// Interview time used when the turn was recorded, in milliseconds.
    pub used_ms: u64,
    /// Last (stream, sequence) of audio that this turn covers.
    pub covered: Option<(u64, u64)>,
    /// Whether this is the closing, after which nothing is asked.
    pub closing: bool,
    /// Consecutive questions that went unanswered.
    pub unanswered: u32,
    /// The sentences that the turn is spoken in; their joined text is `text`.
    pub sentences: Vec<String>,
    /// More of the turn was to come when this was recorded; a candidate's that goes on does so in the next turn.
    pub unfinished: bool,
}

/// What the assessor, or a person, concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Recommendation {
    /// Clearly.
    StrongYes,
    /// On balance.
    Yes,
    /// Evidence on both sides.
    Mixed,
    /// On balance not.
    No,
    /// Too little was said to judge.
    NotJudged,
}

/// The verdict on an interview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// Overall.
    pub recommendation: Recommendation,
    /// A few sentences for the recruiter.
    pub summary: String,
    /// One entry a judged skill.
    pub skills: Vec<SkillScore>,
    /// Skills of the plan that the transcript gives no evidence on, with why.
    #[serde(default)]
    pub not_judged: Vec<NotJudged>,
    /// Which engine wrote it, e.g. `rubric-keywords/1` or a model's name.
    #[serde(default)]
    pub written_by: String,
}

/// One skill's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkillScore {
    /// As in the plan.
    pub name: String,
    /// 0 (no evidence of it) to 5 (all signals of the rubric).
    pub score: f32,
    /// Why.
    pub rationale: String,
    /// Verbatim evidence.
    pub quotes: Vec<Quote>,
}

/// Verbatim words of the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Where they were said.
    pub turn_id: TurnId,
    /// The words, occurring letter for letter in that turn.
    pub text: String,
}

/// A skill that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotJudged {
    /// As in the plan.
    pub name: String,
    /// Why not.
    pub reason: String,
}
