//! An interview's recordings: what there is, and the bytes, streamed behind the same permission as the transcript.

use crate::{
    AppState,
    auth::{Permission, Principal},
    body::id,
    problem::{Error, Problem},
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use maya_protocol::ids::InterviewId;
use maya_store::{StoreError, workflow};
use object_store::ObjectStoreExt;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The routes of recordings.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(content))
}

/// A recorded stretch of a session, playable alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    id: Uuid,
    /// `VIDEO` or `AUDIO`.
    kind: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    media_type: String,
    bytes: i64,
    /// Of the content, in hex.
    sha256: String,
    /// Where the content is, behind the same permission.
    url: String,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    media_type: String,
    bytes: i64,
    sha256: Vec<u8>,
}

/// All of an interview, in order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recordings {
    items: Vec<Recording>,
    next_cursor: Option<String>,
}

/// Lists an interview's recordings.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/recordings", tag = "interviews", security(("api_key" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Recordings), (status = 404, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Path(interview): Path<String>,
) -> Result<Json<Recordings>, Error> {
    principal.require(Permission::InterviewRead)?;
    let interview = InterviewId(id(&interview)?);
    let mut tx = state.store.tenant(principal.tenant).await?;
    workflow::read(&mut tx, interview).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select id, kind, started_at, ended_at, media_type, bytes, sha256 from recordings
         where interview_id = $1 order by started_at, id",
    )
    .bind(interview.0)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let items = rows.into_iter().map(|row| Recording {
        url: format!("/api/v1/integration/interviews/{interview}/recordings/{}/content", row.id),
        id: row.id,
        kind: row.kind,
        started_at: row.started_at,
        ended_at: row.ended_at,
        media_type: row.media_type,
        bytes: row.bytes,
        sha256: hex::encode(row.sha256),
    });
    Ok(Json(Recordings { items: items.collect(), next_cursor: None }))
}

/// Streams a recording.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/recordings/{recording}/content", tag = "interviews",
    security(("api_key" = [])), params(("id" = String, Path), ("recording" = String, Path)),
    responses((status = 200, content_type = "video/webm", body = Vec<u8>), (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn content(
    State(state): State<AppState>,
    principal: Principal,
    Path((interview, recording)): Path<(String, String)>,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewRead)?;
    let interview = InterviewId(id(&interview)?);
    let mut tx = state.store.tenant(principal.tenant).await?;
    workflow::read(&mut tx, interview).await?;
    let (object, media_type): (String, String) =
        sqlx::query_as("select object, media_type from recordings where interview_id = $1 and id = $2")
            .bind(interview.0)
            .bind(id(&recording)?)
            .fetch_one(tx.conn())
            .await
            .map_err(StoreError::from)?;
    drop(tx);
    let blobs = state.blobs.as_ref().ok_or(Error::Unavailable("the recordings' store"))?;
    let found = match blobs.get(&object_store::path::Path::from(object)).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Err(Error::NotFound),
        Err(error) => {
            tracing::warn!(error = %error, "cannot read a recording");
            return Err(Error::Unavailable("the recordings' store"));
        }
    };
    let media_type = HeaderValue::from_str(&media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_LENGTH, HeaderValue::from(found.meta.size)),
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // the candidate's own browser made it: it is never shown as a page of ours
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"recording.webm\"")),
    ];
    Ok((headers, Body::from_stream(found.into_stream())).into_response())
}
