//! What the runner does, in the form that the page's banner shows.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use super::show::Show;
use crate::api::app::App;
use crate::api::job::{Interaction, Job, pending_interaction};
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::{Claimed, Entry, View};
use crate::spool::JobId;

#[derive(Serialize)]
struct Banner<'a> {
    status: String,
    job: Option<Job<'a>>,
    pending_interaction: Option<Interaction<'a>>,
}

/// `GET /api/jobrunner/status`. A job that runs is shown also when its runner is gone: it can still be answered.
///
/// # Errors
/// None.
pub async fn status(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let view = app.mirror.view();
    let foremost = foremost(&view);
    let pending_interaction = foremost.and_then(|(_, _, claimed)| pending_interaction(claimed));
    let status = match foremost {
        _ if !view.runner.up => "Jobrunner not running".to_owned(),
        None => "idle".to_owned(),
        Some((id, ..)) if pending_interaction.is_some() => format!("Running job {id}, awaiting user interaction"),
        Some((id, ..)) => format!("Running job {id}"),
    };
    let job = foremost.map(|(_, entry, _)| Show::new(&view, &app.config).in_memory(entry));
    response::json(StatusCode::OK, &Banner { status, job, pending_interaction })
}

/// Of several jobs the oldest that waits for an answer, else the oldest.
fn foremost(view: &View) -> Option<(JobId, &Entry, &Claimed)> {
    let running = || {
        view.open().filter_map(|(id, entry)| match entry {
            Entry::Claimed(claimed) if !claimed.status.state.is_final() => Some((id, entry, &**claimed)),
            _ => None,
        })
    };
    let waiting = running().find(|(_, _, claimed)| claimed.status.interaction.is_some());
    waiting.or_else(|| running().next())
}
