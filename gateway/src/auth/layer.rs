//! The layer before every route: finds the principal, counts the call, tells the limit in the answer.

use super::Found;
use crate::{problem::Error, state::AppState};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use maya_protocol::registry::Rate;

/// Leaves who calls in the request; a route that needs to know takes a [`super::Principal`].
pub async fn authenticate(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let found = find(&state, request.headers()).await;
    let mut counted = None;
    if let Found::Known(principal) = &found {
        let limit = principal.settings.rate_limit.unwrap_or(state.settings.rate_limit);
        let key = format!("{}:{}", principal.tenant, principal.name);
        // the registry is a cache: away, it lets calls through
        if let Ok(rate) = state.registry.rate(&key, limit, state.settings.rate_window).await {
            if !rate.allowed {
                let mut refused = Error::TooManyRequests { retry_after: rate.reset }.into_response();
                tell(&mut refused, limit, rate);
                return refused;
            }
            counted = Some((limit, rate));
        }
    }
    request.extensions_mut().insert(found);
    let mut response = next.run(request).await;
    if let Some((limit, rate)) = counted {
        tell(&mut response, limit, rate);
    }
    response
}

async fn find(state: &AppState, headers: &HeaderMap) -> Found {
    if let Some(key) = headers.get("x-api-key") {
        return match key.to_str() {
            Ok(key) => state.credentials.by_key(key).await,
            Err(_) => Found::Refused("the API key is not valid"),
        };
    }
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return Found::Refused("send X-API-Key or a bearer token");
    };
    let token = authorization.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match token {
        Some(token) => state.credentials.by_token(token).await,
        None => Found::Refused("the Authorization header must be a bearer token"),
    }
}

fn tell(response: &mut Response, limit: u32, rate: Rate) {
    let seconds = rate.reset.as_secs() + u64::from(rate.reset.subsec_nanos() > 0);
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from(limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(rate.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(seconds));
}
