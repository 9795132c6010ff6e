//! Responses that handlers give.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::body::{self, Body, End, Pieces};
use super::error::ApiError;

/// What a handler answers.
pub type Response = hyper::Response<Body>;

/// A JSON response that no cache may reuse unasked.
///
/// # Errors
/// 500 if `value` has no JSON form.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(value).map_err(ApiError::internal)?;
    Ok(uncached(status, "application/json", body::full(text)))
}

/// A response that is made piece by piece, as fast as the client takes it; see [`body::produce`].
///
/// Proxies hold back some types: what must arrive line by line is `application/octet-stream` or `text/event-stream`.
pub fn produce<F>(content_type: &'static str, end: End, producer: impl FnOnce(Pieces) -> F) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    uncached(StatusCode::OK, content_type, body::produce(end, producer))
}

/// The response, to be kept by nobody: a browser asks again also when somebody goes back in it.
#[must_use]
pub fn unstored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    response
}

/// A response that no cache may reuse unasked.
pub fn uncached(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
