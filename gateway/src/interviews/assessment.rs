//! The assessment and the human gate before the verdict.

use super::{
    plan::touch,
    steps::{close_tasks, completed_again, open_task},
    view::{InterviewView, schema},
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    decision::Decision,
    fields::{Object, Wrong, has_nul},
    http::{InterviewPath, JsonBody, OptionalJson, check_match, tagged},
    problem::{Error, Problem},
    webhooks::{self, WebhookType},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::{AssessmentCompleted, Event},
    ids::TurnId,
    interview::{Assessment, NotJudged, Quote, Recommendation, SkillScore, Speaker, Turn},
    state::InterviewState,
};
use maya_store::{
    StoreError, TenantTx, turns,
    workflow::{self, Actor, InterviewRow},
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Row, types::Json as Jsonb};
use utoipa::ToSchema;

/// An assessment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentView {
    /// Version of the interview in which it became its assessment.
    version: i64,
    #[serde(flatten)]
    #[schema(value_type = schema::AssessmentBody)]
    assessment: Assessment,
    approved_at: Option<DateTime<Utc>>,
    approved_by: Option<String>,
    created_at: DateTime<Utc>,
}

/// Shows the newest assessment.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/assessment", tag = "assessments",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = AssessmentView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn read(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewRead)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let row = workflow::read(&mut tx, id).await?;
    let view = newest(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(tagged(view.version, &view))
}

/// Writes the assessment by hand, while one awaits a decision or after one was rejected.
#[utoipa::path(put, path = "/api/v1/integration/interviews/{id}/assessment", tag = "assessments",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = schema::AssessmentBody,
    responses((status = 200, body = AssessmentView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub async fn write(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    if !matches!(row.state, InterviewState::AssessmentReady | InterviewState::AssessmentRejected) {
        let what = "an assessment can be written only while ASSESSMENT_READY or ASSESSMENT_REJECTED";
        return Err(Error::in_state(row.state, what));
    }
    let said = turns::of_interview(&mut tx, id).await?;
    let assessment = read_body(&body.0, &said, &principal.name)?;
    let actor = Actor::part(&principal.name);
    if row.state == InterviewState::AssessmentRejected {
        workflow::transition(&mut tx, &mut row, InterviewState::AssessmentReady, None, &actor).await?;
        open_task(&mut tx, &row, "ASSESSMENT_REVIEW").await?;
    } else {
        touch(&mut tx, &mut row).await?;
    }
    keep(&mut tx, &row, &assessment).await?;
    workflow::audit(&mut tx, Some(id), &actor, "assessment.edited", None, json!({ "version": row.version })).await?;
    let view = newest(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(tagged(view.version, &view))
}

/// Approves the verdict: it goes out.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/assessment/approve", tag = "assessments",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Option<schema::ApproveBody>,
    responses((status = 200, body = InterviewView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn approve(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let decision = Decision::read(&body)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor { name: &principal.name, comment: decision.comment.as_deref() };
    workflow::transition(&mut tx, &mut row, InterviewState::AssessmentCompleted, None, &actor).await?;
    let view = newest(&mut tx, &row).await?;
    sqlx::query("update assessments set approved_at = $3, approved_by = $4 where interview_id = $1 and version = $2")
        .bind(id.0)
        .bind(view.version)
        .bind(row.updated_at)
        .bind(&principal.name)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    close_tasks(&mut tx, &row, &principal.name).await?;
    let completed = AssessmentCompleted {
        interview_id: id,
        external_id: row.brief.external_id.clone(),
        assessment_version: view.version,
        recommendation: view.assessment.recommendation,
    };
    tx.publish(&Event::new(principal.tenant, row.updated_at, completed), None).await?;
    webhooks::enqueue(&mut tx, &row, WebhookType::AssessmentCompleted).await?;
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

/// Rejects the assessment: a person writes it, or (`regenerate`) the assessor writes another one.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/assessment/reject", tag = "assessments",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Option<schema::RejectBody>,
    responses((status = 200, body = InterviewView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn reject(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let decision = Decision::read(&body)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor { name: &principal.name, comment: decision.comment.as_deref() };
    let reason = decision.reason.as_deref();
    workflow::transition(&mut tx, &mut row, InterviewState::AssessmentRejected, reason, &actor).await?;
    close_tasks(&mut tx, &row, &principal.name).await?;
    if decision.regenerate {
        workflow::transition(&mut tx, &mut row, InterviewState::Assessing, reason, &actor).await?;
        completed_again(&mut tx, &row).await?;
    }
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

async fn newest(tx: &mut TenantTx, row: &InterviewRow) -> Result<AssessmentView, StoreError> {
    let found = sqlx::query(
        "select version, assessment, approved_at, approved_by, created_at from assessments where interview_id = $1
         order by version desc limit 1",
    )
    .bind(row.id.0)
    .fetch_one(tx.conn())
    .await?;
    Ok(AssessmentView {
        version: found.try_get("version")?,
        assessment: found.try_get::<Jsonb<Assessment>, _>("assessment")?.0,
        approved_at: found.try_get("approved_at")?,
        approved_by: found.try_get("approved_by")?,
        created_at: found.try_get("created_at")?,
    })
}

/// Keeps an assessment under the interview's current version, so that one number guards both.
pub(crate) async fn keep(tx: &mut TenantTx, row: &InterviewRow, assessment: &Assessment) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    sqlx::query(
        "insert into assessments (tenant_id, interview_id, version, assessment, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.0)
    .bind(row.id.0)
    .bind(row.version)
    .bind(Jsonb(assessment))
    .bind(row.updated_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads what a person wrote. A quote must be the candidate's own words, letter for letter.
fn read_body(body: &Value, said: &[Turn], writer: &str) -> Result<Assessment, Error> {
    let wrong = Wrong::default();
    if has_nul(body) {
        wrong.add("", "must not contain the character U+0000");
    }
    let root = Object::root(body, &wrong);
    let recommendation = root.choice("recommendation", "STRONG_YES, YES, MIXED, NO, NOT_JUDGED");
    if root.get("recommendation").is_none() {
        root.wrong("recommendation", "must be given");
    }
    let assessment = Assessment {
        recommendation: recommendation.unwrap_or(Recommendation::NotJudged),
        summary: root.required_text("summary", 10_000),
        skills: root.objects("skills", 50).iter().map(|skill| score(skill, said)).collect(),
        not_judged: root
            .objects("notJudged", 50)
            .iter()
            .map(|entry| NotJudged {
                name: entry.required_text("name", 200),
                reason: entry.required_text("reason", 2_000),
            })
            .collect(),
        written_by: writer.to_owned(),
    };
    wrong.unless(assessment)
}

fn score(skill: &Object<'_>, said: &[Turn]) -> SkillScore {
    let score = skill.number("score", 0.0, 5.0);
    if skill.get("score").is_none() {
        skill.wrong("score", "must be given");
    }
    SkillScore {
        name: skill.required_text("name", 200),
        score: score.unwrap_or(0.0) as f32,
        rationale: skill.required_text("rationale", 10_000),
        quotes: skill.objects("quotes", 50).iter().map(|entry| quote(entry, said)).collect(),
    }
}

fn quote(entry: &Object<'_>, said: &[Turn]) -> Quote {
    let text = entry.required_text("text", 10_000);
    let turn_id: TurnId = entry.choice("turnId", "the transcript's turn ids, e.g. t7").unwrap_or(TurnId(u32::MAX));
    if entry.get("turnId").is_none() {
        entry.wrong("turnId", "must be given");
    } else if !text.is_empty() {
        match said.iter().find(|turn| turn.turn_id == turn_id) {
            None => entry.wrong("turnId", "is not a turn of the transcript"),
            Some(turn) if turn.speaker != Speaker::Candidate => {
                entry.wrong("turnId", "is not a turn of the candidate's")
            }
            Some(turn) if !turn.text.contains(&text) => {
                entry.wrong("text", "does not occur in that turn, letter for letter")
            }
            Some(_) => {}
        }
    }
    Quote { turn_id, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_must_be_the_candidates_own_words() {
        let at = "2026-11-27T10:00:00Z".parse().unwrap();
        let turn = |n, speaker, text: &str| Turn {
            turn_id: TurnId(n),
            speaker,
            text: text.into(),
            started_at: at,
            ended_at: at,
            context: Default::default(),
        };
        let said = [turn(0, Speaker::Maya, "How do you test?"), turn(1, Speaker::Candidate, "I write property tests.")];
        let body = |quotes: Value| {
            json!({"recommendation": "YES", "summary": "Good.", "skills": [
                {"name": "Rust", "score": 4.5, "rationale": "Clear.", "quotes": quotes}]})
        };
        assert!(read_body(&body(json!([{"turnId": "t1", "text": "property tests"}])), &said, "user:a").is_ok());
        let wrong = json!([
            {"turnId": "t1", "text": "Property tests"}, {"turnId": "t0", "text": "test"},
            {"turnId": "t9", "text": "test"}, {"text": "test"}, {"turnId": 1, "text": "test"}
        ]);
        let Err(Error::Invalid(errors)) = read_body(&body(wrong), &said, "user:a") else { panic!("it was accepted") };
        for (n, field) in ["text", "turnId", "turnId", "turnId", "turnId"].iter().enumerate() {
            let path = format!("skills[0].quotes[{n}].{field}");
            assert!(errors.iter().any(|error| error.field == path), "{path} is missing in {errors:?}");
        }
    }
}
