//! One line of the route table: a method, a path, who may use them, and the description for programs.

use std::pin::Pin;
use std::sync::Arc;

use hyper::{Method, StatusCode};

use super::app::App;
use super::failure;
use super::request::Request;
use crate::accounts::access::Access;
use crate::accounts::identity::Identity;
use crate::http::describe::{Argument, Content, Header};
use crate::http::error::ApiError;
use crate::http::path::Pattern;
use crate::http::response::Response;

/// An `async fn(Arc<App>, Request) -> Result<Response, ApiError>`, in a form that fits in a table.
pub type Handler = fn(Arc<App>, Request) -> Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// A method of a path, and its handler.
#[derive(Debug)]
pub struct Route {
    /// `GET` also answers `HEAD`.
    pub method: Method,
    /// Its path, see [`Pattern`].
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// The status for who may use SpiderPig, but not this. Programs that know the first SpiderPig take each 403 for "may
    /// not use SpiderPig".
    pub denial: StatusCode,
    /// Whether pages ask for it also if nobody sits in front of them. Then it does not keep a session alive.
    pub is_unattended: bool,
    /// Whether its response must not be found in a browser by whoever sits there next.
    pub is_secret: bool,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Makes its responses.
    pub handler: Handler,
    /// The arguments after the question mark.
    pub query: &'static [Argument],
    /// The header fields that it reads, beside those that every route does.
    pub headers: &'static [Header],
    /// The body of a request, if it reads one.
    pub body: Option<Content>,
    /// The successful responses: status and content.
    pub responses: &'static [(u16, Content)],
    /// The statuses of its own errors, beside those that any request can meet.
    pub errors: &'static [u16],
}

impl Route {
    /// Lets somebody use the route, or says why not.
    ///
    /// # Errors
    /// 401 if they must sign in or show their second factor first, 403 if they are in no group, else
    /// [`denial`](Self::denial).
    pub fn check(&self, identity: &Identity) -> Result<(), ApiError> {
        self.access.check(identity).map_err(|error| failure::accounts::denied(error, self.denial))
    }

    /// A route without arguments, header fields, body, responses and errors.
    #[must_use]
    pub const fn new(
        method: Method,
        path: &'static str,
        access: Access,
        handler: Handler,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            access,
            denial: StatusCode::FORBIDDEN,
            is_unattended: false,
            is_secret: false,
            summary,
            handler,
            query: &[],
            headers: &[],
            body: None,
            responses: &[],
            errors: &[],
        }
    }

    /// Its path, to be compared with those of requests.
    #[must_use]
    pub const fn pattern(&self) -> Pattern {
        Pattern(self.path)
    }

    /// Whether it is for browsers, and not a part of the API.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.responses.iter().any(|(_, content)| *content == Content::Page)
    }

    /// Sets [`denial`](Self::denial).
    #[must_use]
    pub const fn denies_with(mut self, denial: StatusCode) -> Self {
        self.denial = denial;
        self
    }

    /// Sets [`is_unattended`](Self::is_unattended).
    #[must_use]
    pub const fn unattended(mut self, is_unattended: bool) -> Self {
        self.is_unattended = is_unattended;
        self
    }

    /// Sets [`is_secret`](Self::is_secret).
    #[must_use]
    pub const fn secret(mut self, is_secret: bool) -> Self {
        self.is_secret = is_secret;
        self
    }

    /// Sets [`query`](Self::query).
    #[must_use]
    pub const fn query(mut self, query: &'static [Argument]) -> Self {
        self.query = query;
        self
    }

    /// Sets [`headers`](Self::headers).
    #[must_use]
    pub const fn headers(mut self, headers: &'static [Header]) -> Self {
        self.headers = headers;
        self
    }

    /// Sets [`body`](Self::body).
    #[must_use]
    pub const fn body(mut self, body: Content) -> Self {
        self.body = Some(body);
        self
    }

    /// Sets [`responses`](Self::responses).
    #[must_use]
    pub const fn responses(mut self, responses: &'static [(u16, Content)]) -> Self {
        self.responses = responses;
        self
    }

    /// Sets [`errors`](Self::errors).
    #[must_use]
    pub const fn errors(mut self, errors: &'static [u16]) -> Self {
        self.errors = errors;
        self
    }
}
