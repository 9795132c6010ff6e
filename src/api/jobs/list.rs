//! Lists of jobs, and one job.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use super::show::{Show, Shown};
use super::{id_in_path, no_such_job};
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::job::{Interaction, pending_interaction};
use crate::api::mirror::Entry;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};

#[derive(Serialize)]
struct Jobs<'a> {
    jobs: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    job: Shown<'a>,
    pending_interaction: Option<Interaction<'a>>,
}

/// What [`list`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument { name: "limit", kind: ArgumentKind::Number, help: "How many at most: 10 if not given, 500 if more" },
    Argument { name: "skip", kind: ArgumentKind::Number, help: "How many of the newest to leave out" },
];

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 500;

/// `GET /api/jobs`: the newest `limit` jobs but the first `skip`.
///
/// # Errors
/// 422 for arguments that are no numbers.
pub async fn list(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let query = request.query()?;
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let skip = query.number("skip")?.unwrap_or(0);
    let view = app.mirror.view();
    let show = Show::new(&view, &app.config);
    let jobs: Vec<Shown> = view.newest().skip(skip).take(limit).map(|(_, entry)| show.job(entry)).collect();
    response::json(StatusCode::OK, &Jobs { jobs })
}

/// `GET /api/jobs/{id}`.
///
/// # Errors
/// 404 if there is no such job.
pub async fn one(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let view = app.mirror.view();
    let entry = view.get(id).ok_or_else(|| no_such_job(id))?;
    let pending_interaction = match entry {
        Entry::Claimed(claimed) => pending_interaction(claimed),
        _ => None,
    };
    response::json(StatusCode::OK, &One { job: Show::new(&view, &app.config).job(entry), pending_interaction })
}
