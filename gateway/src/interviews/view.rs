//! How an interview is shown.

use chrono::{DateTime, Utc};
use maya_protocol::{
    ids::InterviewId,
    interview::{InterviewBrief, MissingField},
    state::InterviewState,
};
use maya_store::workflow::InterviewRow;
use serde::Serialize;
use utoipa::ToSchema;

/// Where all that belongs to interviews begins.
pub(crate) const BASE: &str = "/api/v1/integration/interviews";

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Links {
    #[serde(rename = "self")]
    pub itself: String,
    pub plan: String,
    pub session: String,
    pub transcript: String,
    pub assessment: String,
    pub recordings: String,
    pub events: String,
}
impl Links {
    /// Those of an interview.
    pub fn of(id: InterviewId) -> Self {
        let at = |what: &str| format!("{BASE}/{id}{what}");
        Self {
            itself: at(""),
            plan: at("/plan"),
            session: at("/session"),
            transcript: at("/transcript"),
            assessment: at("/assessment"),
            recordings: at("/recordings"),
            events: at("/events"),
        }
    }
}

/// An interview: the create body, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: InterviewId,
    /// Where it stands.
    #[schema(value_type = String, example = "PENDING")]
    pub state: InterviewState,
    /// Why, where there is a why.
    pub state_reason: Option<String>,
    /// What was sent and is absent.
    #[schema(value_type = Vec<Object>)]
    pub missing: Vec<MissingField>,
    /// Absent fields that a person waived.
    pub waived: Vec<String>,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was received.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// What was sent.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub brief: InterviewBrief,
    /// Where to go from here.
    pub links: Links,
}
impl From<InterviewRow> for InterviewView {
    fn from(row: InterviewRow) -> Self {
        Self {
            id: row.id,
            state: row.state,
            state_reason: row.state_reason,
            missing: row.missing,
            waived: row.waived,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            links: Links::of(row.id),
            brief: row.brief,
        }
    }
}

/// Bodies as the OpenAPI document describes them; they are read field by field, so that every wrong one is told.
pub mod schema {
    #![allow(missing_docs, dead_code, reason = "read by the derive only; the contract describes the fields")]
    use chrono::{DateTime, Utc};
    use serde::Serialize;
    use utoipa::ToSchema;

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct InterviewBody {
        #[schema(example = "ats-4711")]
        pub external_id: Option<String>,
        pub callback_url: Option<String>,
        #[schema(example = "en-US")]
        pub language: Option<String>,
        #[schema(minimum = 1, maximum = 180, example = 30)]
        pub duration_minutes: Option<u32>,
        pub opens_at: Option<DateTime<Utc>>,
        pub expires_at: Option<DateTime<Utc>>,
        pub candidate: Option<CandidateBody>,
        pub position: Option<PositionBody>,
        pub skills: Option<Vec<SkillBody>>,
        #[schema(value_type = Option<Object>)]
        pub metadata: Option<serde_json::Value>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct CandidateBody {
        pub name: Option<String>,
        pub email: Option<String>,
        /// Plain text.
        pub resume: Option<String>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct PositionBody {
        pub title: Option<String>,
        /// `JUNIOR`, `MID`, `SENIOR` or `LEAD`.
        #[schema(example = "SENIOR")]
        pub level: Option<String>,
        pub description: Option<String>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct SkillBody {
        pub name: String,
        pub level: Option<String>,
        pub must_have: Option<bool>,
    }

    /// A merge patch (RFC 7396) of the create body.
    #[derive(Serialize, ToSchema)]
    pub struct InterviewPatch {
        #[serde(flatten)]
        pub body: InterviewBody,
        /// Absent HIGH fields that the interview goes on without.
        pub waive: Option<Vec<String>>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct ApproveBody {
        pub comment: Option<String>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct RejectBody {
        pub reason: Option<String>,
        /// Whether another one shall be written.
        pub regenerate: Option<bool>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct PlanBody {
        pub sections: Vec<SectionBody>,
        pub rubric: Option<Vec<RubricBody>>,
        #[schema(value_type = Option<Vec<Object>>)]
        pub warnings: Option<Vec<serde_json::Value>>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct SectionBody {
        pub title: String,
        pub skill: Option<String>,
        pub minutes: u32,
        pub questions: Vec<QuestionBody>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct QuestionBody {
        pub id: String,
        pub text: String,
        /// `FOUNDATION`, `APPLIED` or `EXPERT`.
        #[schema(example = "APPLIED")]
        pub difficulty: Option<String>,
        pub expected_signals: Option<Vec<String>>,
        pub follow_ups: Option<Vec<String>>,
        pub signal_keywords: Option<Vec<Vec<String>>>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct RubricBody {
        pub skill: String,
        pub must_have: Option<bool>,
        #[schema(value_type = Vec<Object>)]
        pub scale: Vec<serde_json::Value>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct AssessmentBody {
        /// `STRONG_YES`, `YES`, `MIXED`, `NO` or `NOT_JUDGED`.
        #[schema(example = "YES")]
        pub recommendation: String,
        pub summary: String,
        pub skills: Vec<ScoreBody>,
        pub not_judged: Option<Vec<NotJudgedBody>>,
    }

    #[derive(Serialize, ToSchema)]
    pub struct ScoreBody {
        pub name: String,
        #[schema(minimum = 0, maximum = 5)]
        pub score: f32,
        pub rationale: String,
        pub quotes: Option<Vec<QuoteBody>>,
    }

    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub struct QuoteBody {
        #[schema(example = "t7")]
        pub turn_id: String,
        pub text: String,
    }

    #[derive(Serialize, ToSchema)]
    pub struct NotJudgedBody {
        pub name: String,
        pub reason: String,
    }
}
