//! Calling an interview off, and removing it with the person's data.

use super::{
    steps::close_tasks,
    view::{InterviewView, schema},
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    decision::Decision,
    http::{InterviewPath, OptionalJson, check_match, tagged},
    problem::{Error, Problem},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use maya_protocol::{
    event::{Command, Event, SessionCommand},
    state::InterviewState,
};
use maya_store::{
    StoreError, TenantTx,
    sessions::{self, SessionRow},
    workflow::{self, Actor, InterviewRow},
};
use object_store::{ObjectStoreExt, path::Path};
use serde_json::json;
use std::time::Duration;

/// How long the edges must remember that a link is void; longer than any link is good.
const REVOKED: Duration = Duration::from_secs(45 * 24 * 3600);

/// Calls an interview off, from any state in which it is live.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/cancel", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Option<schema::RejectBody>,
    responses((status = 200, body = InterviewView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn cancel(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewUpdate)?;
    let decision = Decision::read(&body)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor { name: &principal.name, comment: decision.comment.as_deref() };
    let session = call_off(&mut tx, &mut row, decision.reason.as_deref(), &actor).await?;
    tx.commit().await?;
    void_link(&state, session).await;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

/// Removes an interview (called off first where it is live) with the person's data; the audit log stays.
#[utoipa::path(delete, path = "/api/v1/integration/interviews/{id}", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 503, body = Problem)))]
pub async fn remove(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    principal.require(Permission::InterviewDelete)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor::part(&principal.name);
    let session = if row.state.may_become(InterviewState::Cancelled) {
        call_off(&mut tx, &mut row, Some("deleted"), &actor).await?
    } else {
        sessions::of_interview(&mut tx, id).await?
    };
    remove_recordings(&state, &mut tx, &row).await?;
    erase(&mut tx, &row).await?;
    workflow::audit(&mut tx, Some(id), &actor, "interview.deleted", None, json!({})).await?;
    forget(&state, &principal, &row, session.as_ref()).await?;
    tx.commit().await?;
    void_link(&state, session).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn call_off(
    tx: &mut TenantTx,
    row: &mut InterviewRow,
    reason: Option<&str>,
    actor: &Actor<'_>,
) -> Result<Option<SessionRow>, StoreError> {
    workflow::transition(tx, row, InterviewState::Cancelled, reason, actor).await?;
    close_tasks(tx, row, actor.name).await?;
    let Some(session) = sessions::of_interview(tx, row.id).await? else { return Ok(None) };
    let now = tx.store().clock().utc();
    // nobody owns a session that was never joined: it ends here; a live one is ended by its owner
    sqlx::query(
        "with ended as (
             update placements set state = 'ENDED', updated_at = $2 where session_id = $1 and state = 'READY' returning session_id
         )
         update sessions set ended_at = $2, outcome = 'CANCELLED', reason = $3 where id in (select session_id from ended)",
    )
    .bind(session.id.0)
    .bind(now)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    let command = SessionCommand {
        session_id: session.id,
        interview_id: row.id,
        command: Command::Cancel,
        reason: reason.map(str::to_owned),
    };
    tx.publish(&Event::new(tx.tenant(), now, command), Some(session.partition)).await?;
    Ok(Some(session))
}

/// Tells the edges; they learn it from the session's end too where the registry is away.
async fn void_link(state: &AppState, session: Option<SessionRow>) {
    let Some(session) = session else { return };
    if let Err(error) = state.registry.revoke_join(session.id, session.join_generation, REVOKED).await {
        tracing::warn!(session.id = %session.id, error = %error, "cannot revoke a join link");
    }
}

/// Objects go before the rows that name them, so that a failure leaves nothing unnamed.
async fn remove_recordings(state: &AppState, tx: &mut TenantTx, row: &InterviewRow) -> Result<(), Error> {
    let objects: Vec<String> = sqlx::query_scalar("select object from recordings where interview_id = $1")
        .bind(row.id.0)
        .fetch_all(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if objects.is_empty() {
        return Ok(());
    }
    let Some(blobs) = &state.blobs else { return Err(Error::Unavailable("the store of recordings")) };
    for object in objects {
        match blobs.delete(&Path::from(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(interview.id = %row.id, error = %error, "cannot remove a recording");
                return Err(Error::Unavailable("the store of recordings"));
            }
        }
    }
    Ok(())
}

/// Events keep the person's words too. Their copies go before the removal is committed, so that after a failure the
/// interview is still there to be removed again; its session's owner is fenced off by then and writes no more.
async fn forget(
    state: &AppState,
    principal: &Principal,
    row: &InterviewRow,
    session: Option<&SessionRow>,
) -> Result<(), StoreError> {
    let mut keys = vec![row.id.to_string()];
    keys.extend(session.map(|session| session.id.to_string()));
    let mut tx = state.store.system().await?;
    tx.forget(principal.tenant, &keys).await?;
    tx.commit().await
}

async fn erase(tx: &mut TenantTx, row: &InterviewRow) -> Result<(), StoreError> {
    let now = tx.store().clock().utc();
    for statement in [
        // first a live owner is fenced off: it records nothing more of the person
        "update placements set state = 'ENDED', owner = null where interview_id = $1 and state <> 'ENDED'",
        "delete from turns where interview_id = $1",
        "delete from plans where interview_id = $1",
        "delete from assessments where interview_id = $1",
        "delete from recordings where interview_id = $1",
        "delete from tasks where interview_id = $1",
        "update sessions set opening = null, consent = null where interview_id = $1",
    ] {
        sqlx::query(statement).bind(row.id.0).execute(tx.conn()).await?;
    }
    sqlx::query(
        "update interviews set brief = '{}', missing = '[]', external_id = null, candidate = null, state_reason = null,
             version = version + 1, updated_at = $2, deleted_at = $2
         where id = $1",
    )
    .bind(row.id.0)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}
