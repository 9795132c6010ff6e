//! One thing that clients can ask for, and what its documentation says of it.

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

/// One thing that clients can ask for.
#[derive(Debug)]
pub struct Route {
    /// `GET` also answers `HEAD`.
    pub method: Method,
    /// Segments are literal, `{name:number}` (a positive whole number), or `{name:text}` (anything but nothing).
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// The status for who may use SpiderPig, but not this. Programs that know the first SpiderPig take each 403 for "may
    /// not use SpiderPig".
    pub denial: StatusCode,
    /// Pages ask for it also if nobody sits in front of them, so it does not keep a session alive.
    pub is_unattended: bool,
    /// What it answers must not be found in a browser by whoever sits there next.
    pub is_secret: bool,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What does it.
    pub handler: Handler,
    /// What may stand after the question mark.
    pub arguments: &'static [Argument],
    /// Which header fields it heeds, beside those that every route does.
    pub headers: &'static [Header],
    /// What it expects as the request's body.
    pub body: Option<Content>,
    /// What a success looks like: status and content.
    pub answers: &'static [(u16, Content)],
    /// Statuses of its own refusals, beside those that any request can meet.
    pub refusals: &'static [u16],
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

    /// A route of which nothing more is said yet.
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
            arguments: &[],
            headers: &[],
            body: None,
            answers: &[],
            refusals: &[],
        }
    }

    /// Its path, to be compared with those of requests.
    #[must_use]
    pub const fn pattern(&self) -> Pattern {
        Pattern(self.path)
    }

    /// Who may use SpiderPig, but not this, gets another status than 403.
    #[must_use]
    pub const fn denies_with(mut self, denial: StatusCode) -> Self {
        self.denial = denial;
        self
    }

    /// It does not keep a session alive.
    #[must_use]
    pub const fn unattended(mut self, is_unattended: bool) -> Self {
        self.is_unattended = is_unattended;
        self
    }

    /// Nothing keeps what it answers.
    #[must_use]
    pub const fn secret(mut self, is_secret: bool) -> Self {
        self.is_secret = is_secret;
        self
    }

    /// It understands these arguments.
    #[must_use]
    pub const fn takes(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    /// It heeds these header fields.
    #[must_use]
    pub const fn heeds(mut self, headers: &'static [Header]) -> Self {
        self.headers = headers;
        self
    }

    /// It expects this as the body.
    #[must_use]
    pub const fn reads(mut self, body: Content) -> Self {
        self.body = Some(body);
        self
    }

    /// A success looks like one of these.
    #[must_use]
    pub const fn gives(mut self, answers: &'static [(u16, Content)]) -> Self {
        self.answers = answers;
        self
    }

    /// Whether it is for browsers, and not a part of the API.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.answers.iter().any(|(_, content)| *content == Content::Page)
    }

    /// It has these refusals of its own.
    #[must_use]
    pub const fn refuses(mut self, refusals: &'static [u16]) -> Self {
        self.refusals = refusals;
        self
    }
}
