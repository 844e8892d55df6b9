//! Objects and their rows: written in this order, each as often as need be.

use super::segment::{Place, Segment};
use maya_protocol::ids::{ConnectionId, InterviewId, SessionId, TenantId};
use maya_store::{Store, StoreError};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use sha2::{Digest, Sha256};
use sqlx::{Row, types::Json};
use std::sync::Arc;
use uuid::Uuid;

/// Why an object is not kept yet; all of it may pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("the object store: {0}")]
    Blobs(#[from] object_store::Error),
}

pub(super) struct Keeper {
    store: Store,
    blobs: Arc<dyn ObjectStore>,
}

impl Keeper {
    pub(super) fn new(store: Store, blobs: Arc<dyn ObjectStore>) -> Self {
        Self { store, blobs }
    }

    /// Where an earlier recorder left a connection's video; asks until it knows, because to begin anew would lose it.
    pub(super) async fn resume(&self, tenant: TenantId, session: SessionId, connection: ConnectionId) -> Option<Place> {
        loop {
            match self.find(tenant, session, connection).await {
                Ok(found) => return found,
                Err(error) => tracing::warn!(session.id = %session, error = %error, "a camera waits for the database"),
            }
            tokio::time::sleep(super::PAUSE).await;
        }
    }

    async fn find(
        &self,
        tenant: TenantId,
        session: SessionId,
        connection: ConnectionId,
    ) -> Result<Option<Place>, KeepError> {
        let mut tx = self.store.tenant(tenant).await?;
        let places: Vec<serde_json::Value> = sqlx::query_scalar(
            "select resume from recordings r
             where session_id = $1 and resume ->> 'connection' = $2
               and interview_id = (select interview_id from sessions where id = $1)",
        )
        .bind(session.0)
        .bind(connection.to_string())
        .fetch_all(tx.conn())
        .await?;
        // what does not read was written by another release: its stream begins at the next cluster it can
        let known = places.into_iter().filter_map(|place| serde_json::from_value::<Place>(place).ok());
        Ok(known.max_by_key(|place| (place.sequence, place.skip)))
    }

    /// Writes an object and its row, if the candidate agreed; what nobody agreed to is dropped.
    pub(super) async fn keep(
        &self,
        tenant: TenantId,
        session: SessionId,
        connection: ConnectionId,
        segment: &Segment,
    ) -> Result<(), KeepError> {
        let Some(interview) = self.agreed(tenant, session).await? else {
            metrics::counter!("maya_recorder_segments_total", "outcome" => "no_consent").increment(1);
            return Ok(());
        };
        let (first, last) = segment.pieces;
        let object = format!("{tenant}/{interview}/{session}/{connection}-{first:08}-{last:08}.webm");
        // the same pieces make the same bytes, so that writing again changes nothing
        self.blobs.put(&Path::from(object.as_str()), segment.object.clone().into()).await?;
        let mut resume = serde_json::to_value(&segment.next).map_err(StoreError::from)?;
        resume["connection"] = connection.to_string().into();
        let mut tx = self.store.tenant(tenant).await?;
        let now = tx.store().clock().utc();
        sqlx::query(
            "insert into recordings (id, tenant_id, interview_id, session_id, kind, started_at, ended_at, object,
                                     media_type, bytes, sha256, resume, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict (object) do nothing",
        )
        .bind(Uuid::now_v7())
        .bind(tenant.0)
        .bind(interview.0)
        .bind(session.0)
        .bind(if segment.media_type.starts_with("video") { "VIDEO" } else { "AUDIO" })
        .bind(segment.started_at)
        .bind(segment.ended_at)
        .bind(object)
        .bind(segment.media_type)
        .bind(segment.object.len() as i64)
        .bind(&Sha256::digest(&segment.object)[..])
        .bind(Json(resume))
        .bind(now)
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        metrics::counter!("maya_recorder_segments_total", "outcome" => "kept").increment(1);
        Ok(())
    }

    /// The session's interview, if its candidate agreed to be recorded.
    async fn agreed(&self, tenant: TenantId, session: SessionId) -> Result<Option<InterviewId>, KeepError> {
        let mut tx = self.store.tenant(tenant).await?;
        let row = sqlx::query("select interview_id from sessions where id = $1 and consent ->> 'recording' = 'true'")
            .bind(session.0)
            .fetch_optional(tx.conn())
            .await?;
        Ok(row.map(|row| row.try_get("interview_id").map(InterviewId)).transpose()?)
    }
}
