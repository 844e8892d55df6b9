//! Query parameters, with a refusal that is the API's own problem.

use crate::problem::Error;
use axum::{
    extract::{FromRequestParts, Query as AxumQuery},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

/// The parameters of a query.
pub(crate) struct Query<T>(pub(crate) T);
impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match AxumQuery::<T>::from_request_parts(parts, state).await {
            Ok(AxumQuery(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text =
                    std::error::Error::source(&rejection).map_or_else(|| rejection.to_string(), |e| e.to_string());
                let (field, message) = text.split_once(": ").unwrap_or(("query", &text));
                Err(Error::field(field, message))
            }
        }
    }
}
