//! Signing in and out, one's own account, and what administrators do to the accounts of others.

pub mod enrolment;
pub mod own;
pub mod people;
pub mod second_step;
pub mod sign_in;
pub mod sign_out;
#[cfg(test)]
mod tests;

use hyper::header::{HeaderValue, SET_COOKIE};

use crate::http::error::ApiError;
use crate::http::response::Response;

/// Adds a `Set-Cookie` field to a response.
fn set_cookie(mut response: Response, field: &str) -> Result<Response, ApiError> {
    let field = HeaderValue::try_from(field).map_err(ApiError::internal)?;
    response.headers_mut().append(SET_COOKIE, field);
    Ok(response)
}
