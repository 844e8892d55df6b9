//! Permissions and the roles that carry them: one table.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a person or a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Everything of the tenant's.
    Admin,
    /// Creates, completes and decides.
    Recruiter,
    /// Reads.
    Viewer,
    /// Runs the platform: nodes and actors, never an interview.
    Operator,
}
impl Role {
    /// Every role.
    pub const ALL: &'static [Role] = &[Role::Admin, Role::Recruiter, Role::Viewer, Role::Operator];
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "ADMIN",
            Role::Recruiter => "RECRUITER",
            Role::Viewer => "VIEWER",
            Role::Operator => "OPERATOR",
        }
    }
}
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
/// No such role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of ADMIN, RECRUITER, VIEWER, OPERATOR")]
pub struct UnknownRole;
impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $($role:ident)*;)*) => {
        /// Something one may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $variant,)* }
        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Permission] = &[$(Permission::$variant,)*];
            /// As it is written in scopes.
            pub const fn as_str(self) -> &'static str { match self { $(Permission::$variant => $name,)* } }
            /// Who carries it.
            pub const fn roles(self) -> &'static [Role] { match self { $(Permission::$variant => &[$(Role::$role,)*],)* } }
        }
    };
}
permissions! {
    /// Create interviews.
    InterviewCreate = "interview:create": Admin Recruiter;
    /// Read interviews and all that belongs to them.
    InterviewRead = "interview:read": Admin Recruiter Viewer;
    /// Complete missing data, cancel, hand out the join link.
    InterviewUpdate = "interview:update": Admin Recruiter;
    /// Decide on plans and assessments.
    InterviewApprove = "interview:approve": Admin Recruiter;
    /// Remove an interview and the person's data.
    InterviewDelete = "interview:delete": Admin;
    /// Read the skill catalogue.
    SkillRead = "skill:read": Admin Recruiter Viewer;
    /// Change the tenant's own skills.
    SkillManage = "skill:manage": Admin Recruiter;
    /// Webhook endpoints, their secrets and deliveries.
    WebhookManage = "webhook:manage": Admin;
    /// API keys.
    KeyManage = "key:manage": Admin;
    /// See nodes and actors.
    NodeRead = "node:read": Operator;
    /// Act on nodes and actors.
    NodeManage = "node:manage": Operator;
}
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
