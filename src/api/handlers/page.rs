//! The web page: one document for all of its paths, and the files that it loads.
//!
//! It is built from `web/` into `web/dist/`. A release has these files in it; a debug build reads them when it is asked
//! for one, so it can be built and tested without them.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::accounts::access::Access;
use crate::api::app::App;
use crate::api::request::Request;
use crate::api::route::Route;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::negotiation::Encoding;
use crate::http::path::PathParams;
use crate::http::response::Response;

/// What the page may load and do: only what this service serves, and nothing that stands in its document. Pictures may
/// also be `data:` because the style sheets of Codex, of which the page is made, contain their icons.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For files whose names change with what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

/// The files of a page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Gives a file by its path in the directory of the page.
    read: fn(&str) -> Option<EmbeddedFile>,
}

impl Page {
    /// The page that was built from `web/`.
    #[must_use]
    pub fn built() -> Self {
        Self::of::<Built>()
    }

    /// A page that consists of these files.
    #[must_use]
    pub fn of<Files: RustEmbed>() -> Self {
        Self { read: Files::get }
    }

    /// The document. None if the page is not built.
    fn document(self, headers: &HeaderMap) -> Option<Response> {
        let mut response = self.file("index.html", headers)?;
        let fields = response.headers_mut();
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        Some(response)
    }

    /// A file that the document loads. None if there is none of this name.
    fn asset(self, name: &str, headers: &HeaderMap) -> Option<Response> {
        if !is_asset_name(name) {
            return None;
        }
        let mut response = self.file(&format!("assets/{name}"), headers)?;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
        Some(response)
    }

    /// A file in the form that suits the client best.
    fn file(self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let plain = (self.read)(path)?;
        let content_type = content_type(plain.metadata.mimetype());
        let encoded = Encoding::preferred(headers).into_iter().find_map(|encoding| {
            let file = (self.read)(&format!("{path}{}", encoding.suffix()))?;
            Some((encoding, file))
        });
        let (encoding, file) = encoded.map_or((None, plain), |(encoding, file)| (Some(encoding), file));
        let mut response = Response::new(body::full(bytes(file)));
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, content_type);
        fields.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(encoding) = encoding {
            fields.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        Some(response)
    }
}

/// Whether a name is one that the build gives, and not of a compressed form. Above all it leads to no other directory:
/// a debug build opens the file.
fn is_asset_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_compressed = [Encoding::Brotli, Encoding::Gzip].iter().any(|encoding| name.ends_with(encoding.suffix()));
    is_plain && !name.starts_with('.') && !is_compressed
}

fn content_type(media_type: &str) -> HeaderValue {
    let charset = if media_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    let unknown = HeaderValue::from_static("application/octet-stream");
    HeaderValue::try_from(format!("{media_type}{charset}")).unwrap_or(unknown)
}

/// What a release has in it is sent from where it lies.
fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// `GET /` and the other paths that the page knows: the same document, which looks at its path itself.
///
/// # Errors
/// 503 in a debug build without the page.
pub async fn document(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    app.page.document(&request.headers).ok_or_else(|| {
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
    app.page.asset(name, &request.headers).ok_or_else(|| {
        let message = "The page has no such file. If it was upgraded meanwhile, reload it";
        ApiError::refused(StatusCode::NOT_FOUND, message).with("name", name)
    })
}

/// For people who follow a link that leads nowhere. It is not in the table, as it has no path.
static NOWHERE: Route = Route::new(
    Method::GET,
    "*",
    Access::Open,
    |app, request| Box::pin(async move { nowhere(&app, &request) }),
    "No such page",
);

/// The page if it is built, but not as a success.
fn nowhere(app: &App, request: &Request) -> Result<Response, ApiError> {
    let mut response = app.page.document(&request.headers).ok_or_else(ApiError::no_such_route)?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// What answers a request for which the table has no route: the page, which then says so, if a browser asks for a page.
///
/// # Errors
/// The `error` as it is, for everybody else.
pub fn instead_of(error: ApiError, head: &Parts) -> Result<(&'static Route, PathParams), ApiError> {
    let is_read = head.method == Method::GET || head.method == Method::HEAD;
    let is_for_programs = matches!(head.uri.path().split('/').nth(1), Some("api" | "assets"));
    let is_nowhere = error.status() == StatusCode::NOT_FOUND && is_read && !is_for_programs;
    if is_nowhere && crate::http::negotiation::asks_for_html(&head.headers) {
        return Ok((&NOWHERE, PathParams::default()));
    }
    Err(error)
}

#[cfg(test)]
mod tests;
