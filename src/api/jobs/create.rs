//! Starting a job of any declared type.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::app::App;
use crate::api::blocking;
use crate::api::error::{ApiError, Invalid};
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::config::{Config, ParamError};
use crate::spool::JobId;
use crate::spool::queue::{self, NewJob};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(rename = "type")]
    job_type: String,
    #[serde(default)]
    params: Map<String, Value>,
}

/// `POST /api/jobs`: queues a job, durably.
///
/// # Errors
/// 422 for what is wrong with the type or a parameter, 503 or 500 if the spool does not take it.
pub async fn create(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let wanted: Wanted = request.json().await?;
    check(&app.config, &wanted)?;
    refuse_what_the_runner_lacks(&app, &wanted.job_type)?;
    let new = NewJob {
        job_type: wanted.job_type,
        params: wanted.params,
        user: request.user.as_ref().into(),
        ..NewJob::default()
    };
    let id = submit(app, new).await?;
    let mut response = response::json(StatusCode::CREATED, &json!({ "message": "Job created", "id": id }))?;
    let location = HeaderValue::try_from(format!("/api/jobs/{id}")).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Queues a job that was checked, durably, and shows it from then on.
async fn submit(app: Arc<App>, new: NewJob) -> Result<JobId, ApiError> {
    blocking::run(move || {
        let job = queue::submit(&app.spool, new)?;
        tracing::info!(job = %job.id, job_type = job.job_type, "job queued");
        let id = job.id;
        app.mirror.insert_queued(job);
        Ok(id)
    })
    .await?
}

/// The runner checks the same again, from its own configuration: this is so that people hear of it at once.
fn check(config: &Config, wanted: &Wanted) -> Result<(), ApiError> {
    let Some(job_type) = config.job_type(&wanted.job_type) else {
        return Err(ApiError::invalid(Invalid {
            kind: "unknown_job_type",
            location: vec!["body".into(), "type".into()],
            message: "No job type has this name".into(),
            input: wanted.job_type.as_str().into(),
        }));
    };
    match job_type.render(&wanted.params) {
        Ok(_) => Ok(()),
        Err(error) => Err(invalid_param(error)),
    }
}

fn invalid_param(error: ParamError) -> ApiError {
    ApiError::invalid(Invalid {
        kind: "value_error",
        location: vec!["body".into(), "params".into(), error.param],
        message: error.message,
        input: error.input,
    })
}

/// A runner that was started with another configuration would reject the job after it was accepted here.
fn refuse_what_the_runner_lacks(app: &App, job_type: &str) -> Result<(), ApiError> {
    let view = app.mirror.view();
    let Some(state) = view.runner.state.as_ref().filter(|_| view.runner.up) else { return Ok(()) };
    if state.configuration == app.config.hash || state.job_types.iter().any(|known| known == job_type) {
        return Ok(());
    }
    Err(ApiError::refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "The job runner does not know this job type yet, because the configuration has changed since it was started. \
         Restart spiderpig-runner; jobs that run go on",
    ))
}
