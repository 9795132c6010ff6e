//! What all handlers that start a job have in common: they read the idempotency key, queue the job, and record who started
//! it.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::json;

use crate::api::app::App;
use crate::api::handlers::job_types;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::describe::Header;
use crate::http::error::ApiError;
use crate::http::response::Response;
use crate::spool::queue::NewJob;
use crate::submit::Submitted;
use crate::submit::idempotency::Key;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header fields of routes that start a job.
pub const HEADERS: &[Header] = &[Header {
    name: "Idempotency-Key",
    help: "A key for this request: for a day, the same request with the same key returns the same job",
}];

/// The idempotency key of a request, if it has one. `asked` is its path, with what else it asks for beside the body.
///
/// # Errors
/// 400 for a malformed one.
pub(super) fn key(request: &Request, asked: &str, body: &[u8]) -> Result<Option<Key>, ApiError> {
    let values = request.headers.get_all(IDEMPOTENCY_KEY).into_iter().map(HeaderValue::as_bytes);
    Ok(Key::of(values, &request.user, asked, body)?)
}

/// Queues a job, and records who did. With a key that was used before for the same request it is the job of then, and
/// `new` is not asked: whatever configuration and Gerrit say by now, the answer stays. While `new` is made, nothing is
/// locked.
///
/// # Errors
/// What `new` says; 413 for a job that no runner would read; 409, 422 or 503 for a key; 503 or 500 if the spool does not
/// take it.
pub(super) async fn submit(
    app: &App,
    request: &Request,
    key: Option<Key>,
    new: impl Future<Output = Result<NewJob, ApiError>>,
) -> Result<Submitted, ApiError> {
    if let Some(key) = &key
        && let Some(submitted) = app.submissions.earlier(key.clone()).await?
    {
        return Ok(submitted);
    }
    let new = new.await?;
    let mut details = json!({ "type": new.job_type, "retry_of": new.retry_of });
    let submitted = app.submissions.submit(key, new).await?;
    if !submitted.is_replayed {
        details["job"] = u64::from(submitted.id).into();
        AuditRecord::of(request, Event::Start, details).note(app).await;
    }
    Ok(submitted)
}

/// Tells the client if this answer was given before.
pub(super) fn mark(submitted: Submitted, response: &mut Response) {
    if submitted.is_replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
}

/// A runner that was started with another configuration would reject the job after it was accepted here.
///
/// # Errors
/// 503 if that is so.
pub(super) fn refuse_what_the_runner_lacks(app: &App, job_type: &str) -> Result<(), ApiError> {
    match job_types::disabled_reason(job_type, &app.config, &app.mirror.view()) {
        Some(reason) => Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, reason)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
