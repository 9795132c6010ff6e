//! The picture that browsers show beside the title.

use std::sync::Arc;

use hyper::StatusCode;

use super::app::App;
use super::body;
use super::error::ApiError;
use super::request::Request;
use super::response::{Response, uncached};

const PICTURE: &str = include_str!("favicon/favicon.svg");

/// `GET /favicon.ico`, which browsers ask for by themselves.
///
/// # Errors
/// None.
pub async fn favicon(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    Ok(uncached(StatusCode::OK, "image/svg+xml", body::full(PICTURE)))
}
