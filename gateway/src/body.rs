//! JSON bodies of the smaller resources: what axum refuses becomes the API's own problem.

use crate::problem::Error;
use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;
    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        Ok(Self(Json::<T>::from_request(request, state).await.map_err(refusal)?.0))
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Error;
    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if request.headers().get(axum::http::header::CONTENT_TYPE).is_none() {
            return Ok(Self(T::default()));
        }
        Ok(Self(Json::<T>::from_request(request, state).await.map_err(refusal)?.0))
    }
}

fn refusal(rejection: JsonRejection) -> Error {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // "<axum's words>: <path>: <serde's words>", the path left out at the root
            let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let (field, message) = text.split_once(": ").unwrap_or(("", &text));
            if field.contains(' ') { Error::field("", text.clone()) } else { Error::field(field, message) }
        }
        JsonRejection::JsonSyntaxError(error) => Error::NotJson(error.body_text()),
        JsonRejection::MissingJsonContentType(_) => Error::UnsupportedMediaType,
        other => Error::BadRequest(other.body_text()),
    }
}

/// Reads an id of a path: what is no id names nothing.
pub(crate) fn id(text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::NotFound)
}
