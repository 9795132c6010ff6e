//! Is the service alive?

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::error::ApiError;
use super::request::Request;
use super::response::{self, Response};

/// `GET /healthz`: answers as long as the service can answer at all.
///
/// # Errors
/// None.
pub async fn healthz(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &json!({ "status": "ok" }))
}
