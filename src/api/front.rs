//! Between the server and the handlers: which requests are admitted, and what becomes of their answers.
//!
//! Every handler runs in a task of its own, apart from its connection: a client that goes away does not undo a mutation
//! half done, and a handler that panics takes nobody else's answer with it.

use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::app::App;
use super::refusals;
use super::request::Request;
use super::route::Route;
use super::table;
use super::table::ROUTES;
use crate::accounts::Auth;
use crate::accounts::identity::Identity;
use crate::http::defences;
use crate::http::error::ApiError;
use crate::http::host;
use crate::http::host::Names;
use crate::http::listener::Listener;
use crate::http::negotiation;
use crate::http::path::PathParams;
use crate::http::response;
use crate::http::response::Response;
use crate::http::server;
use crate::http::server::{AccessLine, Call, Limits, Settings};
use crate::spool::Time;

/// Serves the route table until `app.shutdown` is cancelled, which also ends all streams. See [`server::serve`].
pub async fn serve(listeners: Vec<Listener>, app: Arc<App>, limits: Limits) {
    serve_routes(listeners, app, limits, ROUTES).await;
}

async fn serve_routes(listeners: Vec<Listener>, app: Arc<App>, limits: Limits, routes: &'static [Route]) {
    let (trusted_proxies, shutdown) = (app.config.api.trusted_proxies.clone(), app.shutdown.clone());
    let settings = Settings { limits, trusted_proxies, shutdown };
    server::serve(listeners, Front { app, routes }, settings).await;
}

/// Answers requests by a table of routes.
#[derive(Debug)]
struct Front {
    app: Arc<App>,
    routes: &'static [Route],
}

impl server::Service for Front {
    async fn answer(&self, call: Call, line: &mut AccessLine, tasks: &TaskTracker) -> Response {
        let client = call.client.clone();
        let mut who = None;
        let answer = match self.admit(call, line, tasks, &mut who) {
            Ok((route, request)) => self.handle(route, request, line, tasks).await,
            Err(refused) => Err(refused),
        };
        if let Err(error) = &answer
            && refusals::is_refusal(error, who.as_ref())
        {
            let reason = error.message().unwrap_or_default().to_owned();
            // A task of its own, so that a client that goes away at once is recorded as well.
            let note = refusals::note(Arc::clone(&self.app), who, client.clone(), line.asked(), reason);
            let _ = tasks.spawn(note).await;
        }
        let mut response =
            answer.unwrap_or_else(|error| line.span.in_scope(|| error.into_response(&client.request_id)));
        defences::add(response.headers_mut(), &self.app.public_url);
        response
    }

    fn answered(&self, method: &Method, route: Option<&'static str>, status: StatusCode, took: Duration) {
        self.app.metrics.answered(method.as_str(), route, status.as_u16(), took);
    }
}

impl Front {
    /// Checks that a request is meant for this service, finds its route, and checks that its client may use the route. As
    /// soon as it is known who asks, `who` says it.
    fn admit(
        &self,
        call: Call,
        line: &mut AccessLine,
        tasks: &TaskTracker,
        who: &mut Option<Identity>,
    ) -> Result<(&'static Route, Request), ApiError> {
        let Call { client, is_local, head, body } = call;
        let names = Names { public_url: &self.app.public_url, is_local };
        host::check(names, &head.method, &head.uri, &head.headers)?;
        let identity = self.app.auth.identify(&Request::presented_by(&head.headers), Time::now());
        line.identified(identity.user().map_or("", |user| user));
        *who = Some(identity.clone());
        let found = table::find(self.routes, &head.method, head.uri.path());
        let (route, path) = found.or_else(|error| instead_of(error, &head))?;
        line.routed(route.path);
        if !route.is_unattended {
            self.note_use(&identity, tasks);
        }
        route.check(&identity)?;
        let request = Request {
            client,
            user: identity.user().map_or_else(Arc::default, Arc::clone),
            identity,
            denial: route.denial,
            path,
            headers: head.headers,
            uri: head.uri,
            body,
        };
        Ok((route, request))
    }

    /// Notes meanwhile that a session is used, if it is one and was not noted for a while.
    fn note_use(&self, identity: &Identity, tasks: &TaskTracker) {
        if let Auth::Guarded(guard) = &self.app.auth
            && let Some(session_use) = guard.session_use(identity, Time::now())
        {
            tasks.spawn_blocking(move || session_use.note());
        }
    }

    async fn handle(
        &self,
        route: &Route,
        request: Request,
        line: &AccessLine,
        tasks: &TaskTracker,
    ) -> Result<Response, ApiError> {
        let handler = (route.handler)(Arc::clone(&self.app), request);
        let task = tasks.spawn(handler.instrument(line.span.clone()));
        let answer = task.await.unwrap_or_else(|panic| Err(ApiError::internal(panic)));
        if route.is_secret { answer.map(response::unstored) } else { answer }
    }
}

/// The page that answers a request for which the table has no route, if a browser asks for a page.
///
/// # Errors
/// The `error` as it is, for everybody else.
fn instead_of(error: ApiError, head: &Parts) -> Result<(&'static Route, PathParams), ApiError> {
    let is_read = head.method == Method::GET || head.method == Method::HEAD;
    let is_for_programs = matches!(head.uri.path().split('/').nth(1), Some("api" | "assets"));
    let is_no_such_page = error.status() == StatusCode::NOT_FOUND && is_read && !is_for_programs;
    if is_no_such_page && negotiation::asks_for_html(&head.headers) {
        return Ok((&table::NO_SUCH_PAGE, PathParams::default()));
    }
    Err(error)
}

#[cfg(test)]
mod tests;
