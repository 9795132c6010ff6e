//! Putting a job into the queue, once for each idempotency key.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::app::App;
use super::handlers::job_types;
use super::record::AuditRecord;
use super::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response::Response;
use crate::spool::JobId;
use crate::spool::queue;
use crate::spool::queue::NewJob;
use crate::submit::idempotency::Key;

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// No runner would read it.
const TOO_LARGE: &str = "This job is too large: its parameters, and what is stored of its changes or the train, have more \
                         than 1 MiB in all. Start it with less";

/// A job that is in the queue, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    pub(crate) id: JobId,
    /// An earlier request with the same key has submitted it.
    replayed: bool,
}

impl Submitted {
    /// Tells the client if this answer was given before.
    pub fn mark(self, response: &mut Response) {
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
    }
}

/// Queues a job, durably, and shows it from then on. With a key that was used before for the same request it is the job
/// of then, and `new` is not asked: whatever configuration and Gerrit say by now, the answer stays. While `new` is made,
/// nothing is locked.
///
/// # Errors
/// What `new` says; 413 for a job that no runner would read; 409, 422 or 503 for a key, see
/// [`Idempotency::take`](crate::submit::idempotency::Idempotency::take); 503 or 500 if the spool does not take it.
pub async fn submit(
    app: &Arc<App>,
    request: &Request,
    key: Option<Key>,
    new: impl Future<Output = Result<NewJob, ApiError>>,
) -> Result<Submitted, ApiError> {
    if let Some(submitted) = earlier(app, key.clone()).await? {
        return Ok(submitted);
    }
    let new = new.await?;
    let details = json!({ "type": new.job_type, "retry_of": new.retry_of });
    let submitting = Arc::clone(app);
    let work = move || match key {
        Some(key) => submit_once(&submitting, &key, new),
        None => Ok(Submitted { id: queue(&submitting, checked(new)?)?, replayed: false }),
    };
    let submitted = app.submissions.run(work).await??;
    if !submitted.replayed {
        record(app, request, submitted.id, details).await;
    }
    Ok(submitted)
}

async fn record(app: &App, request: &Request, id: JobId, mut details: Value) {
    details["job"] = u64::from(id).into();
    AuditRecord::of(request, Event::Start, details).note(app).await;
}

/// The job that was submitted with a key before.
async fn earlier(app: &Arc<App>, key: Option<Key>) -> Result<Option<Submitted>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let looking = Arc::clone(app);
    let look = move || looking.idempotency.take(&looking.spool, &key).map(|record| record.job());
    let job = app.submissions.run(look).await??;
    Ok(job.map(|id| Submitted { id, replayed: true }))
}

fn submit_once(app: &App, key: &Key, new: NewJob) -> Result<Submitted, ApiError> {
    let mut record = app.idempotency.take(&app.spool, key)?;
    if let Some(id) = record.job() {
        return Ok(Submitted { id, replayed: true });
    }
    let new = checked(NewJob { request: Some(key.hash().to_owned()), ..new })?;
    record.begin(&app.spool, key)?;
    let id = queue(app, new)?;
    record.finish(id);
    Ok(Submitted { id, replayed: false })
}

fn queue(app: &App, new: NewJob) -> Result<JobId, ApiError> {
    let floor = app.mirror.view().highest_used();
    let job = queue::submit_above(&app.spool, new, floor)?;
    tracing::info!(job = %job.id, job_type = job.job_type, "job queued");
    let id = job.id;
    app.mirror.insert_queued(job);
    Ok(id)
}

fn checked(new: NewJob) -> Result<NewJob, ApiError> {
    if new.is_too_large() {
        return Err(ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE));
    }
    Ok(new)
}

/// A runner that was started with another configuration would reject the job after it was accepted here.
///
/// # Errors
/// 503 if that is so.
pub fn refuse_what_the_runner_lacks(app: &App, job_type: &str) -> Result<(), ApiError> {
    match job_types::disabled_reason(job_type, &app.config, &app.mirror.view()) {
        Some(reason) => Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, reason)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
