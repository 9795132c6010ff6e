//! Signing out.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::error::ApiError;
use super::request::Request;
use super::response::{self, Response};

/// `POST /api/logout` and `POST /api/logoutAll`: where everybody is signed in, there is nothing to end, and nowhere
/// else to sign out.
///
/// # Errors
/// None.
pub async fn logout(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &json!({ "message": "Logged out", "SSOLogoutUrl": "/" }))
}
