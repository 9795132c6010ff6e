//! `POST /api/jobs/{id}/retry`: starting a finished job again.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::changes;
use super::changes::Starter;
use super::{id_in_path, no_such_job, submission, train};
use crate::api::app::App;
use crate::api::request::Request;
use crate::config::{JobType, MASK};
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::{Ending, Entry, whole};
use crate::spool::JobId;
use crate::spool::history::HistoryLine;
use crate::spool::job::Job;
use crate::spool::queue::NewJob;
use crate::spool::request::JobRequest;

/// What `POST /api/jobs/{id}/retry` takes after the question mark.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "anyway",
    kind: ArgumentKind::Switch,
    help: "Start the job even if Gerrit cannot be asked or does not know a change; the problems are recorded",
}];

/// What a job was asked to do.
#[derive(Debug)]
struct Original {
    job_type: String,
    params: Map<String, Value>,
    data: Option<Map<String, Value>>,
}

/// `POST /api/jobs/{id}/retry`: queues a job like one that has finished, durably, for whoever asks, with its changes as
/// they are now. The body is ignored.
///
/// # Errors
/// 404; 400 if the job has not finished or cannot be started again, and for a malformed idempotency key; 502 or 400 for
/// changes that cannot be looked up; 409 or 422 for a key that is in use; 413, 503 or 500 if the spool does not take it.
pub async fn retry(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let anyway = request.query()?.flag("anyway")?;
    let key = submission::key(&request, &format!("/api/jobs/{id}/retry"), b"")?;
    if app.mirror.view().ending(id) == Ending::NoSuchJob {
        return Err(no_such_job(id));
    }
    let new = again(&app, id, Starter { request: &request, anyway });
    let submitted = submission::submit(&app, &request, key, new).await?;
    let mut response = response::json(StatusCode::OK, &json!({ "message": "Job created", "id": submitted.id }))?;
    submission::mark(submitted, &mut response);
    Ok(response)
}

/// The same job, by today's rules.
async fn again(app: &Arc<App>, id: JobId, starter: Starter<'_>) -> Result<NewJob, ApiError> {
    let reading = Arc::clone(app);
    let original = app.submissions.prepare(move || original(&reading, id)).await??;
    let job_type = check(app, id, &original, starter.request)?;
    let data = train::with_status_of_now(app, &job_type.name, original.data)?;
    Ok(NewJob {
        data: changes::data(app, job_type, &original.params, data, starter).await?,
        job_type: original.job_type,
        params: original.params,
        user: starter.request.user.to_string(),
        retry_of: Some(id),
        key_hash: None,
    })
}

fn check<'a>(app: &'a App, id: JobId, original: &Original, request: &Request) -> Result<&'a JobType, ApiError> {
    let Some(job_type) = app.config.job_type(&original.job_type) else {
        return Err(refused(id, "Its job type is not in the configuration any more"));
    };
    request.may_start(job_type)?;
    if !job_type.retry {
        return Err(refused(id, "Jobs of this type cannot be retried. Start a new one"));
    }
    if let Some(problem) = job_type.problems(&original.params).into_iter().next() {
        let message = format!("Its parameters break the current rules: {problem}. Start a new job");
        return Err(refused(id, message).with("param", problem.param));
    }
    submission::refuse_what_the_runner_lacks(app, &job_type.name)?;
    Ok(job_type)
}

fn refused(id: JobId, why: impl Into<String>) -> ApiError {
    ApiError::refused(StatusCode::BAD_REQUEST, why).with("job_id", u64::from(id))
}

/// What a finished job was asked to do: from its own file as long as that is there, then from the history.
fn original(app: &App, id: JobId) -> Result<Original, ApiError> {
    let view = app.mirror.snapshot();
    let entry = view.get(id).ok_or_else(|| no_such_job(id))?;
    if !entry.is_final() {
        return Err(refused(id, "The job has not finished"));
    }
    let finished = match &entry {
        Entry::Rejected(_) => {
            // All of it, also where only its beginning is in memory.
            let Some(Entry::Rejected(rejected)) = whole(&app.spool, &entry) else {
                return Err(refused(id, "Its file cannot be read"));
            };
            let request = rejected.request.clone();
            return request.map(Original::from).ok_or_else(|| refused(id, "Its file cannot be read"));
        }
        Entry::Finished(finished) => Some(*finished),
        Entry::Queued(_) | Entry::Claimed(_) => None,
    };
    match Job::new(&app.spool, id).request() {
        Ok(request) => Ok(request.into()),
        Err(error) => {
            tracing::info!(job = %id, %error, "to be tried again from the history");
            let line = finished.and_then(|finished| view.history().read(&finished).ok());
            let original = line.and_then(|line| Original::from_history(&line));
            original.ok_or_else(|| refused(id, "Its files cannot be read"))?.with_nothing_hidden(id)
        }
    }
}

impl From<JobRequest> for Original {
    fn from(request: JobRequest) -> Self {
        Self { job_type: request.job_type, params: request.params, data: request.data }
    }
}

impl Original {
    fn from_history(line: &[u8]) -> Option<Self> {
        let HistoryLine { job_type, params, data, .. } = serde_json::from_slice(line).ok()?;
        Some(Self { job_type, params, data })
    }

    /// The history has only what people may see.
    fn with_nothing_hidden(self, id: JobId) -> Result<Self, ApiError> {
        match self.params.iter().find(|(_, value)| value.as_str() == Some(MASK)) {
            Some((name, _)) => {
                let why = "Its files are gone, and with them the value of a sensitive parameter. Start a new job";
                Err(refused(id, why).with("param", name.as_str()))
            }
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests;
