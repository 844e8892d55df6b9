//! `/skills`: the tenant's own skills, embedded beside the seeded catalogue so that the planner finds them.

use crate::{
    AppState,
    auth::{Permission, Principal},
    body::{Body, id},
    problem::{Error, FieldError, Problem},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use maya_providers::embed::DIMENSIONS;
use maya_store::{
    StoreError,
    workflow::{self, Actor},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Skills that a tenant may add.
const MOST_SKILLS: i64 = 5_000;

/// The routes of skills.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A skill of the tenant's own.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skill {
    id: Uuid,
    name: String,
    description: String,
    aliases: Vec<String>,
    created_at: DateTime<Utc>,
}

/// All of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skills {
    items: Vec<Skill>,
    next_cursor: Option<String>,
}

/// What a new skill is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSkill {
    name: String,
    /// One line: what who has it can do.
    #[serde(default)]
    description: String,
    /// Other names of the same.
    #[serde(default)]
    aliases: Vec<String>,
}

/// Lists the tenant's own skills by name.
#[utoipa::path(get, path = "/api/v1/skills", tag = "skills", security(("api_key" = [])),
    responses((status = 200, body = Skills)))]
async fn list(State(state): State<AppState>, principal: Principal) -> Result<Json<Skills>, Error> {
    principal.require(Permission::SkillRead)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let items = sqlx::query_as("select id, name, description, aliases, created_at from skills order by name")
        .fetch_all(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(Json(Skills { items, next_cursor: None }))
}

/// Adds a skill.
#[utoipa::path(post, path = "/api/v1/skills", tag = "skills", security(("api_key" = [])), request_body = NewSkill,
    responses((status = 201, body = Skill), (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn add(
    State(state): State<AppState>,
    principal: Principal,
    new: Result<Body<NewSkill>, Error>,
) -> Result<(StatusCode, Json<Skill>), Error> {
    principal.require(Permission::SkillManage)?;
    let Body(new) = new?;
    check(&new)?;
    let missing = "the embedding model (`maya fetch` gets what is missing)";
    let embedder = state.embedder.as_ref().ok_or(Error::Unavailable(missing))?;
    // as the catalogue is embedded, so that both lie in one space
    let names = std::iter::once(&new.name).chain(&new.aliases).map(|name| name.trim()).collect::<Vec<_>>().join(", ");
    let text = format!("{names}. {}", new.description.trim());
    let embedded = embedder.embed(vec![text]).await.map_err(|error| {
        tracing::warn!(error = %error, "cannot embed a skill");
        Error::Unavailable(missing)
    })?;
    let vector = embedded.first().filter(|vector| vector.len() == DIMENSIONS && vector.iter().all(|n| n.is_finite()));
    let vector = vector.ok_or_else(|| Error::Internal("the embedding model answered nonsense".to_owned()))?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let count: i64 =
        sqlx::query_scalar("select count(*) from skills").fetch_one(tx.conn()).await.map_err(StoreError::from)?;
    if count >= MOST_SKILLS {
        return Err(Error::Conflict { detail: format!("there are {MOST_SKILLS} skills already"), state: None });
    }
    let skill: Option<Skill> = sqlx::query_as(
        "insert into skills (id, tenant_id, name, description, aliases, space, embedding, created_at)
         values ($1, $2, $3, $4, $5, $6, $7::vector, $8) on conflict (tenant_id, name) do nothing
         returning id, name, description, aliases, created_at",
    )
    .bind(Uuid::now_v7())
    .bind(principal.tenant.0)
    .bind(new.name.trim())
    .bind(&new.description)
    .bind(&new.aliases)
    .bind(embedder.name())
    .bind(format!("{vector:?}"))
    .bind(state.clock.utc())
    .fetch_optional(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let Some(skill) = skill else {
        return Err(Error::Conflict { detail: "there is a skill of this name".to_owned(), state: None });
    };
    let detail = json!({ "skill": skill.id });
    workflow::audit(&mut tx, None, &Actor::part(&principal.name), "skill.added", None, detail).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(skill)))
}

/// Removes a skill; plans that were made with it stay.
#[utoipa::path(delete, path = "/api/v1/skills/{id}", tag = "skills", security(("api_key" = [])),
    params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
async fn remove(
    State(state): State<AppState>,
    principal: Principal,
    Path(skill): Path<String>,
) -> Result<StatusCode, Error> {
    principal.require(Permission::SkillManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let removed: Uuid = sqlx::query_scalar("delete from skills where id = $1 returning id")
        .bind(id(&skill)?)
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let detail = json!({ "skill": removed });
    workflow::audit(&mut tx, None, &Actor::part(&principal.name), "skill.removed", None, detail).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(new: &NewSkill) -> Result<(), Error> {
    let mut wrong = Vec::new();
    let mut length = |field: String, text: &str, least: usize, most: usize| {
        if !(least..=most).contains(&text.trim().chars().count()) {
            wrong.push(FieldError::new(field, format!("must have {least} to {most} characters")));
        }
    };
    length("name".to_owned(), &new.name, 1, 100);
    length("description".to_owned(), &new.description, 0, 500);
    for (at, alias) in new.aliases.iter().enumerate() {
        length(format!("aliases[{at}]"), alias, 1, 100);
    }
    if new.aliases.len() > 20 {
        wrong.push(FieldError::new("aliases", "must be at most 20"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}
