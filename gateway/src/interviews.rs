//! `/integration/interviews`: an interview from its creation to its verdict, as the recruiter's system sees it.

mod assessment;
mod audit;
mod change;
mod completeness;
mod create;
mod list;
mod plan;
mod plan_body;
mod remove;
mod session;
mod steps;
mod validate;
mod view;

pub(crate) use assessment::keep as keep_assessment;
pub(crate) use plan::keep as keep_plan;
pub(crate) use steps::{close_tasks, completed_again, open_task, validation_requested};

use crate::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of interviews.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(list::read, change::change, remove::remove))
        .routes(routes!(remove::cancel))
        .routes(routes!(plan::read, plan::write))
        .routes(routes!(plan::approve))
        .routes(routes!(plan::reject))
        .routes(routes!(session::join, session::read))
        .routes(routes!(session::transcript))
        .routes(routes!(assessment::read, assessment::write))
        .routes(routes!(assessment::approve))
        .routes(routes!(assessment::reject))
        .routes(routes!(audit::list))
}
