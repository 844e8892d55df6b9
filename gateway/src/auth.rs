//! Who calls and what they may do: an API key or a JWT becomes a [`Principal`]; the tenant comes from nowhere else.

mod credentials;
mod jwt;
mod layer;
mod permission;

pub use credentials::{Credentials, KEY_PREFIX, NewKey};
pub use jwt::{JwtSettings, JwtVerifier};
pub use layer::authenticate;
pub use permission::{Permission, Role};

use crate::{problem::Error, tenants::TenantSettings};
use axum::{extract::FromRequestParts, http::request::Parts};
use maya_protocol::ids::TenantId;
use std::sync::Arc;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Whose data.
    pub tenant: TenantId,
    /// What they are.
    pub role: Role,
    /// For the audit log: `key:<prefix>` or `user:<subject>`.
    pub name: String,
    /// Narrow the role where not empty: the names of permissions.
    pub scopes: Vec<String>,
    /// What the tenant decided for itself.
    pub settings: Arc<TenantSettings>,
}

impl Principal {
    /// Whether role and scopes carry that permission.
    pub fn may(&self, permission: Permission) -> bool {
        let in_scope = self.scopes.is_empty() || self.scopes.iter().any(|scope| scope == permission.as_str());
        permission.roles().contains(&self.role) && in_scope
    }
    /// Refuses (403) who does not carry that permission.
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.may(permission) { Ok(()) } else { Err(Error::Forbidden(permission)) }
    }
}

/// What [`authenticate`] found, left in the request for the extractor: a public route never looks.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Known(Principal),
    Refused(&'static str),
    /// What is needed to know is away.
    Unavailable(&'static str),
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        match parts.extensions.get::<Found>() {
            Some(Found::Known(principal)) => Ok(principal.clone()),
            Some(Found::Refused(why)) => Err(Error::Unauthenticated(why)),
            Some(Found::Unavailable(what)) => Err(Error::Unavailable(what)),
            None => Err(Error::Internal("a protected route stands outside the authentication layer".to_owned())),
        }
    }
}
