//! Responses that handlers give.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use super::body;
use super::body::{Body, CutOff, Manner, Pieces};
use super::error::ApiError;

/// By this nginx, and what speaks its language, knows what not to keep until a buffer is full.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Of a stream. What transforms one, by compressing it for example, may hold it back.
const STREAMED: HeaderValue = HeaderValue::from_static("no-cache, no-transform");

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

/// A JSON response of which something is held until the client has taken it.
///
/// # Errors
/// 500 if `value` has no JSON form.
pub fn json_holding(held: impl Send + 'static, value: &impl Serialize) -> Result<Response, ApiError> {
    struct Holding<T> {
        text: Vec<u8>,
        _held: T,
    }
    impl<T> AsRef<[u8]> for Holding<T> {
        fn as_ref(&self) -> &[u8] {
            &self.text
        }
    }
    let text = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let bytes = Bytes::from_owner(Holding { text, _held: held });
    Ok(uncached(StatusCode::OK, "application/json", body::full(bytes)))
}

/// A response that is made piece by piece, as fast as the client takes it; see [`body::produce`].
///
/// Proxies hold back some types: what must arrive line by line is `application/octet-stream` or `text/event-stream`.
/// Each stream asks them not to.
pub fn produce<F>(content_type: &'static str, manner: Manner, producer: impl FnOnce(Pieces) -> F) -> Response
where
    F: Future<Output = Result<(), CutOff>> + Send + 'static,
{
    let mut response = uncached(StatusCode::OK, content_type, body::produce(manner, producer));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, STREAMED);
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The response, to be kept by nobody: a browser asks again also when somebody goes back in it.
#[must_use]
pub fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let is_stream = headers.get(CACHE_CONTROL) == Some(&STREAMED);
    let unstored = if is_stream { "no-cache, no-store, no-transform" } else { "no-cache, no-store" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(unstored));
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
