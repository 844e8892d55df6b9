//! `GET /integration/interviews` and `GET /integration/interviews/{id}`.

use super::view::InterviewView;
use crate::{
    AppState,
    auth::{Permission, Principal},
    http::{InterviewPath, cursor, page, read_cursor, tagged},
    problem::{Error, FieldError, Problem},
    query::Query,
};
use axum::{Json, extract::State, response::Response};
use chrono::{DateTime, Utc};
use maya_protocol::{ids::InterviewId, state::InterviewState};
use maya_store::{
    StoreError,
    workflow::{self, InterviewRow},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which interviews.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// In one of these states, comma-separated.
    state: Option<String>,
    /// Whose candidate's name or e-mail address contains this.
    candidate: Option<String>,
    /// Created then or later (RFC 3339).
    from: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Entries of a page, 1 to 200; 50 where absent.
    limit: Option<u32>,
}

/// A page of interviews, the newest first. Resumes are left out; an interview's own page has them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewPage {
    items: Vec<InterviewView>,
    /// Absent (null) on the last page.
    next_cursor: Option<String>,
}

struct Checked {
    states: Option<Vec<&'static str>>,
    from: Option<DateTime<Utc>>,
    candidate: Option<String>,
}

impl Filter {
    fn check(&self) -> Result<Checked, Error> {
        let mut errors = Vec::new();
        let states = self.state.as_deref().filter(|text| !text.is_empty()).map(|names| {
            let read = |name: &str| name.trim().parse::<InterviewState>();
            names
                .split(',')
                .filter_map(|name| match read(name) {
                    Ok(state) => Some(state.as_str()),
                    Err(_) => {
                        errors.push(FieldError::new("state", format!("`{name}` is not a state")));
                        None
                    }
                })
                .collect()
        });
        let from = self.from.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
            // `+` of an offset reads as a blank in a query that was not escaped
            let found = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|time| time.to_utc());
            if found.is_none() {
                errors.push(FieldError::new("from", "must be a time as in RFC 3339, e.g. 2026-12-31T00:00:00Z"));
            }
            found
        });
        if self.candidate.as_deref().is_some_and(|text| text.contains('\0')) {
            errors.push(FieldError::new("candidate", "must not contain the character U+0000"));
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(Checked { states, from, candidate: self.candidate.as_deref().map(str::to_lowercase) })
    }
}

/// Lists interviews.
#[utoipa::path(get, path = "/api/v1/integration/interviews", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])), params(Filter),
    responses((status = 200, body = InterviewPage), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
) -> Result<Json<InterviewPage>, Error> {
    principal.require(Permission::InterviewRead)?;
    let (checked, limit) = (filter.check()?, page(filter.limit)?);
    let after = read_cursor::<InterviewId>(filter.cursor.as_deref())?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut rows: Vec<InterviewRow> = sqlx::query_as(
        "select id, state, state_reason, version, brief #- '{candidate,resume}' as brief, missing, waived, created_at, updated_at
         from interviews
         where tenant_id = $1 and deleted_at is null and ($2::uuid is null or id < $2)
           and ($3::text[] is null or state = any($3)) and ($4::timestamptz is null or created_at >= $4)
           and ($5::text is null or position($5 in candidate) > 0)
         order by id desc limit $6",
    )
    .bind(principal.tenant.0)
    .bind(after.map(|id| id.0))
    .bind(checked.states)
    .bind(checked.from)
    .bind(checked.candidate)
    .bind(limit + 1)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    tx.commit().await?;
    let has_more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| has_more).map(|row| cursor(row.id));
    Ok(Json(InterviewPage { items: rows.into_iter().map(InterviewView::from).collect(), next_cursor }))
}

/// Shows an interview.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = InterviewView), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn read(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewRead)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let row = workflow::read(&mut tx, id).await?;
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}
