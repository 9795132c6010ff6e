//! Keeping new jobs from starting, and letting them start again.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::app::App;
use super::blocking;
use super::error::{ApiError, Invalid};
use super::request::Request;
use super::response::{self, Response};
use crate::spool::inbox::{self, RunnerRequest};

/// The longest reason, in bytes: it stands on every page.
const REASON_LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    reason: String,
}

/// `POST /api/runner/pause`: asks the runner, durably, to start no new job. Jobs that run go on.
///
/// # Errors
/// 422 without a reason, 503 or 500 if the spool does not take it.
pub async fn pause(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let Wanted { reason } = request.json().await?;
    if let Some(problem) = problem(&reason) {
        return Err(ApiError::invalid(Invalid {
            kind: "value_error",
            location: vec!["body".into(), "reason".into()],
            message: problem,
            input: reason.into(),
        }));
    }
    let letter = RunnerRequest { user: request.user.as_ref().into(), reason };
    tracing::info!(reason = letter.reason, "pause asked for");
    ask(app, letter, inbox::pause, "Pause").await
}

/// `POST /api/runner/resume`: asks the runner, durably, to start jobs again.
///
/// # Errors
/// 503 or 500 if the spool does not take it.
pub async fn resume(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let letter = RunnerRequest { user: request.user.as_ref().into(), reason: String::new() };
    tracing::info!("resumption asked for");
    ask(app, letter, inbox::resume, "Resumption").await
}

async fn ask(
    app: Arc<App>,
    letter: RunnerRequest,
    send: fn(&crate::spool::Spool, &str, &RunnerRequest) -> crate::spool::Result<()>,
    what: &str,
) -> Result<Response, ApiError> {
    let word = Uuid::new_v4().simple().to_string();
    let sending = Arc::clone(&app);
    blocking::write(&app, move || send(&sending.spool, &word, &letter)).await??;
    let message = if app.mirror.view().runner.up {
        format!("{what} asked for: the job runner does it at once")
    } else {
        format!("{what} asked for: the job runner is not running, and does it when it is started")
    };
    response::json(StatusCode::OK, &json!({ "message": message }))
}

fn problem(reason: &str) -> Option<String> {
    if reason.trim().is_empty() {
        return Some("A pause needs a reason, which everybody will see".to_owned());
    }
    if reason.len() > REASON_LIMIT {
        return Some(format!("A reason has at most {REASON_LIMIT} bytes"));
    }
    reason.contains(char::is_control).then(|| "A reason is one line, without control characters".to_owned())
}
