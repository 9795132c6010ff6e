//! `GET /api/preflight`: whether the chosen changes can be deployed.

use std::sync::Arc;

use hyper::StatusCode;

use super::changes::chosen;
use crate::api::app::App;
use crate::api::request::Request;
use crate::changes::gerrit::look_up;
use crate::changes::preflight::report::{Report, examine};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `GET /api/preflight`: whether the changes can be deployed together. Nothing is started.
///
/// # Errors
/// 422 for no change, or too many.
pub async fn preflight(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let inputs = chosen(&request.query()?)?;
    let Some(gerrit) = &app.gerrit else {
        return response::json(StatusCode::OK, &Report::without_gerrit(&inputs));
    };
    let lookups = look_up(gerrit, inputs).await;
    let report = examine(gerrit, &app.mirror, &app.config, &lookups).await;
    response::json(StatusCode::OK, &report)
}
