//! The picture that browsers show beside the title.

use std::sync::Arc;

use hyper::StatusCode;

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::response::{Response, uncached};

const PICTURE: &str = include_str!("favicon/favicon.svg");

/// `GET /favicon.ico`, which browsers ask for by themselves.
///
/// # Errors
/// None.
pub async fn favicon(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    Ok(uncached(StatusCode::OK, "image/svg+xml", body::full(PICTURE)))
}
