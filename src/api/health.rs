//! Is the service alive, and what is wrong?

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::error::ApiError;
use super::mirror::View;
use super::request::Request;
use super::response::{self, Response};

/// `GET /healthz`: 200 as long as the service can answer at all; what is wrong is in the body, in words. A pause is
/// somebody's wish and no problem.
///
/// # Errors
/// None.
pub async fn healthz(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let view = app.mirror.view();
    let problems = problems(&view, &app.config.hash);
    let status = if problems.is_empty() { "ok" } else { "degraded" };
    let answer =
        json!({ "status": status, "problems": problems, "runner_up": view.runner.up, "paused": view.runner.paused });
    response::json(StatusCode::OK, &answer)
}

fn problems(view: &View, configuration: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(problem) = &view.problem {
        problems.push(format!("The spool cannot be read: {problem}"));
    }
    if !view.runner.up {
        problems.push("The job runner is not running: no job starts. Start spiderpig-runner".to_owned());
    }
    // What a runner that is gone read does not matter.
    let state = view.runner.state.as_ref().filter(|_| view.runner.up);
    if state.is_some_and(|state| state.configuration != configuration) {
        problems.push(
            "The API and the job runner have read different configurations. Restart the one that was started first"
                .to_owned(),
        );
    }
    problems
}
