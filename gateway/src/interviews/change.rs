//! `PATCH /integration/interviews/{id}`: a person completes or waives what is missing.

use super::{
    completeness::{self, LANGUAGE, missing, needs_a_person},
    create::search_text,
    steps::{close_tasks, info_needed, validation_requested},
    validate,
    view::{InterviewView, schema},
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    fields::{Object, Wrong},
    http::{InterviewPath, JsonBody, check_match, tagged},
    problem::{Error, Problem},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use maya_protocol::{event::Event, interview::Severity, state::InterviewState};
use maya_store::{
    StoreError, TenantTx,
    workflow::{self, Actor, InterviewRow},
};
use serde_json::{Value, json};
use sqlx::types::Json as Jsonb;

/// Completes an interview: a merge patch of the create body, and `waive`. Only while it is RECEIVED or INFO_NEEDED.
#[utoipa::path(patch, path = "/api/v1/integration/interviews/{id}", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body(content = schema::InterviewPatch, content_type = "application/merge-patch+json"),
    responses((status = 200, body = InterviewView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewUpdate)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    if !matches!(row.state, InterviewState::Received | InterviewState::InfoNeeded) {
        return Err(Error::in_state(row.state, "it can be completed only while INFO_NEEDED"));
    }

    let waive = read_waive(&body.0, &principal);
    let mut document = serde_json::to_value(&row.brief).map_err(StoreError::from)?;
    if row.missing.iter().any(|field| field.field == LANGUAGE) {
        // it was assumed, not said
        document.as_object_mut().map(|fields| fields.remove(LANGUAGE));
    }
    validate::merge(&mut document, &body.0);
    // both kinds of mistakes in one answer
    let (mut brief, waive) = match (validate::brief(&document, &state.settings, state.clock.utc()), waive) {
        (Ok(brief), Ok(waive)) => (brief, waive),
        (Err(Error::Invalid(mut errors)), Err(Error::Invalid(more))) => {
            errors.extend(more);
            return Err(Error::Invalid(errors));
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    for field in waive {
        if !row.waived.contains(&field) {
            row.waived.push(field);
        }
    }
    row.missing = missing(&brief, &row.waived, &principal.settings);
    if brief.language.is_none() {
        brief.language = state.settings.language();
    }
    row.brief = brief;
    save(&mut tx, &mut row, &principal, &body.0).await?;
    if needs_a_person(&row.missing) {
        if row.state == InterviewState::Received {
            workflow::transition(&mut tx, &mut row, InterviewState::InfoNeeded, None, &Actor::part(&principal.name))
                .await?;
            let event = Event::new(principal.tenant, state.clock.utc(), info_needed(&row));
            tx.publish(&event, None).await?;
        }
    } else {
        workflow::transition(&mut tx, &mut row, InterviewState::ValidatingSkills, None, &Actor::part(&principal.name))
            .await?;
        close_tasks(&mut tx, &row, &principal.name).await?;
        let event = Event::new(principal.tenant, state.clock.utc(), validation_requested(&row, None));
        tx.publish(&event, None).await?;
    }
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

/// The fields to be waived: HIGH ones (MEDIUM need it not, but may).
fn read_waive(body: &Value, principal: &Principal) -> Result<Vec<String>, Error> {
    let wrong = Wrong::default();
    if !body.is_object() {
        return wrong.unless(Vec::new());
    }
    let root = Object::root(body, &wrong);
    let waive = root.texts("waive", 50, 100);
    for field in &waive {
        match completeness::severity(field, &principal.settings) {
            Some(Severity::Critical) => root.wrong("waive", format!("`{field}` is critical and cannot be waived")),
            Some(_) => {}
            None => root.wrong("waive", format!("`{field}` is not a field that can be missing")),
        }
    }
    wrong.unless(waive)
}

async fn save(
    tx: &mut TenantTx,
    row: &mut InterviewRow,
    principal: &Principal,
    patch: &Value,
) -> Result<(), StoreError> {
    let now = tx.store().clock().utc();
    sqlx::query(
        "update interviews set brief = $2, missing = $3, waived = $4, external_id = $5, candidate = $6, expires_at = $7,
             version = version + 1, updated_at = $8
         where id = $1",
    )
    .bind(row.id.0)
    .bind(Jsonb(&row.brief))
    .bind(Jsonb(&row.missing))
    .bind(&row.waived)
    .bind(row.brief.external_id.as_deref())
    .bind(search_text(&row.brief))
    .bind(row.brief.expires_at)
    .bind(now)
    .execute(tx.conn())
    .await?;
    row.version += 1;
    row.updated_at = now;
    // the names of what changed, never the values: the audit log outlives the person's data
    let fields: Vec<&String> = patch.as_object().map(|fields| fields.keys().collect()).unwrap_or_default();
    let detail = json!({ "fields": fields, "waived": row.waived });
    workflow::audit(tx, Some(row.id), &Actor::part(&principal.name), "interview.changed", None, detail).await
}
