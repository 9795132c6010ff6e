//! The description of the API for programs.

use std::sync::Arc;

use hyper::StatusCode;

use crate::accounts::Auth;
use crate::api::app::App;
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `GET /api/openapi.json`.
///
/// # Errors
/// None: a test makes the description.
pub async fn openapi(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let is_guarded = matches!(app.auth, Auth::Guarded(_));
    response::json(StatusCode::OK, (app.openapi)(is_guarded).map_err(ApiError::internal)?)
}
