//! Handlers for jobs. They read from the mirror. To change something they write a file into the spool; an answer of success
//! means that this file survives a power cut.

pub mod backport;
mod changes;
pub mod create;
mod filter;
pub mod interact;
pub mod list;
pub mod retry;
pub mod show;
pub mod signal;
pub mod status;
pub mod submission;
#[cfg(test)]
mod tests;
pub mod train;

use hyper::StatusCode;

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::spool::JobId;

/// The job that the path names.
///
/// # Errors
/// 404 for a number that no job can have.
pub fn id_in_path(request: &Request) -> Result<JobId, ApiError> {
    job_id(request.path.number("id")?)
}

/// The job with a number.
///
/// # Errors
/// 404 for a number that no job can have.
pub fn job_id(number: u64) -> Result<JobId, ApiError> {
    JobId::try_from(number).map_err(|_| no_such_job(number))
}

/// The type of a job.
///
/// # Errors
/// 404 if there is no such job.
pub fn job_type_of(app: &App, id: JobId) -> Result<String, ApiError> {
    app.mirror.view().job_type(id).ok_or_else(|| no_such_job(id))
}

/// The refusal of a job that is not there.
pub fn no_such_job(id: impl Into<u64>) -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, "No such job").with("job_id", id.into())
}
