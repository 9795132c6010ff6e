//! `POST /api/jobs/backport`: starting a backport, as the original does.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::changes::Starter;
use super::create::{Wanted, start};
use super::submission;
use crate::api::app::App;
use crate::api::request::Request;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::{ApiError, Invalid};
use crate::http::response;
use crate::http::response::Response;

/// The job type that is started.
const JOB_TYPE: &str = "backport";

/// Its parameter, which has the same name in the query.
const CHANGES: &str = "change_url";

/// What `POST /api/jobs/backport` takes after the question mark.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: CHANGES,
        kind: ArgumentKind::Texts,
        help: "The number of a change or its address in Gerrit; repeat the name for each change",
    },
    Argument {
        name: "anyway",
        kind: ArgumentKind::Switch,
        help: "Start the job even if Gerrit cannot be asked or does not know a change; the problems are recorded",
    },
];

/// `POST /api/jobs/backport`: queues a job of the type `backport`, durably, whose parameter `change_url` are these
/// changes. The body is ignored.
///
/// # Errors
/// 400 for what names no change, and for a change that Gerrit does not know; 422 for none; 502 if Gerrit cannot be asked;
/// and as `POST /api/jobs`.
pub async fn backport(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let query = request.query()?;
    let anyway = query.flag("anyway")?;
    let changes: Vec<String> = query.all(CHANGES).map(str::to_owned).collect();
    let asked = format!("/api/jobs/backport?{}", request.uri.query().unwrap_or_default());
    let key = submission::key(&request, &asked, b"")?;
    let wanted = wanted(&app, changes)?;
    let submitted = start(app, wanted, key, Starter { request: &request, anyway }).await?;
    let mut response = response::json(StatusCode::OK, &json!({ "message": "Job created", "id": submitted.id }))?;
    submission::mark(submitted, &mut response);
    Ok(response)
}

fn wanted(app: &App, changes: Vec<String>) -> Result<Wanted, ApiError> {
    if changes.is_empty() {
        let location = vec!["query".into(), CHANGES.into()];
        let message = "Field required".into();
        return Err(ApiError::invalid(Invalid { kind: "missing", location, message, input: Value::Null }));
    }
    let Some(param) = app.config.job_type(JOB_TYPE).and_then(|job_type| job_type.param(CHANGES)) else {
        let message = format!("The configuration has no job type `{JOB_TYPE}` with a parameter `{CHANGES}`");
        return Err(ApiError::refused(StatusCode::BAD_REQUEST, message));
    };
    let no_changes: Vec<&str> = changes.iter().filter(|change| !param.allows(change)).map(String::as_str).collect();
    if !no_changes.is_empty() {
        let refusal = ApiError::refused(StatusCode::BAD_REQUEST, "Invalid change url or number");
        return Err(refusal.with("baddies", no_changes));
    }
    let value = match <[String; 1]>::try_from(changes) {
        Ok([change]) if !param.many => Value::from(change),
        Ok(one) => Value::from(one.to_vec()),
        Err(several) => Value::from(several),
    };
    Ok(Wanted { job_type: JOB_TYPE.to_owned(), params: Map::from_iter([(CHANGES.to_owned(), value)]), anyway: false })
}
