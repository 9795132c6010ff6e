//! The web page: one document for all of its paths, and the files that it loads. [`App::page`] has them.

use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::http::files;
use crate::http::files::EmbeddedFiles;
use crate::http::response::Response;

/// What the page may load and do: only what this service serves, and nothing that stands in its document. Pictures may
/// also be `data:` because the style sheets of Codex, of which the page is made, contain their icons.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For files whose names change with what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /` and the other paths that the page knows: the same document, which looks at its path itself.
///
/// # Errors
/// 503 in a debug build without the page.
pub async fn document(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    document_of(app.page, &request.headers).ok_or_else(|| {
        let message = "The web page is not built: run `make web` in SpiderPig's source directory, then reload";
        ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, message)
    })
}

/// `GET /assets/{name}`.
///
/// # Errors
/// 404 if the page has no such file.
pub async fn asset(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let name = request.path.text("name")?;
    asset_of(app.page, name, &request.headers).ok_or_else(|| {
        let message = "The page has no such file. If it was upgraded meanwhile, reload it";
        ApiError::refused(StatusCode::NOT_FOUND, message).with("name", name)
    })
}

/// The answer to a browser that follows a link to no page: the document, which then says so, but not as a success.
///
/// # Errors
/// 404 without the document in a debug build without the page.
pub fn no_such_page(app: &App, request: &Request) -> Result<Response, ApiError> {
    let mut response = document_of(app.page, &request.headers).ok_or_else(ApiError::no_such_route)?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// The document. `None` if the page is not built.
fn document_of(page: EmbeddedFiles, headers: &HeaderMap) -> Option<Response> {
    let mut response = page.get("index.html", headers)?;
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(response)
}

/// A file that the document loads. `None` if there is none of this name.
fn asset_of(page: EmbeddedFiles, name: &str, headers: &HeaderMap) -> Option<Response> {
    if !files::is_name(name) {
        return None;
    }
    let mut response = page.get(&format!("assets/{name}"), headers)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    Some(response)
}

#[cfg(test)]
mod tests;
