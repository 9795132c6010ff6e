//! Accepts connections, answers requests, and stops in time.
//!
//! Every request is answered in a task of its own, apart from its connection: a client that goes away does not undo a
//! mutation half done, and a handler that panics takes nobody else's answer with it. What hyper itself refuses (a head
//! that is malformed or too large) never becomes a request, and so has no request id; the log tells of it nonetheless.

mod access_log;
mod connection;
mod observed;
mod overflow;
mod progress;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use self::access_log::{AccessLine, LoggedBody};
use self::connection::Origin;
use self::overflow::{Overflow, Throttle};
use self::progress::Progress;
use super::client::Client;
use super::defences;
use super::error::ApiError;
use super::host;
use super::host::Names;
use super::listener::{Listener, Stream};
use super::request_id::X_REQUEST_ID;
use super::response;
use super::response::Response;
use crate::accounts::Auth;
use crate::accounts::identity::Identity;
use crate::api::app::App;
use crate::api::handlers::page;
use crate::api::refusals;
use crate::api::request::Request;
use crate::api::route::Route;
use crate::api::table;
use crate::api::table::ROUTES;
use crate::spool::Time;

/// The pause after a failure to accept that only time can cure, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `app.shutdown` is cancelled; then ends the streams, lets open requests finish, and returns.
///
/// Returns at the latest [`drain`](crate::api::app::Limits::drain) after the cancellation. Connections and handlers that are
/// not done by then end with the runtime.
pub async fn serve(listeners: Vec<Listener>, app: Arc<App>) {
    serve_routes(listeners, app, ROUTES).await;
}

async fn serve_routes(listeners: Vec<Listener>, app: Arc<App>, routes: &'static [Route]) {
    let server = Arc::new(Server {
        places: Arc::new(Semaphore::new(app.limits.connections)),
        app,
        routes,
        handlers: TaskTracker::new(),
        connections: TaskTracker::new(),
        overflow: Overflow::new(),
        accept_failures: Throttle::default(),
    });
    let accepting = TaskTracker::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&server).accept_from(listener));
    }
    accepting.close();
    accepting.wait().await;
    server.drain().await;
}

/// What all connections share.
struct Server {
    app: Arc<App>,
    routes: &'static [Route],
    /// One for each connection that may still be accepted.
    places: Arc<Semaphore>,
    connections: TaskTracker,
    handlers: TaskTracker,
    overflow: Overflow,
    accept_failures: Throttle,
}

impl Server {
    /// Accepts until the shutdown. The listener is closed then, and what waits in its queue is for whoever is next.
    async fn accept_from(self: Arc<Self>, listener: Listener) {
        let is_local = listener.listen().is_local();
        while let Some(accepted) = self.app.shutdown.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, Origin { peer, is_local }),
                Err(error) => self.survive(&error).await,
            }
        }
    }

    fn welcome(self: &Arc<Self>, stream: Stream, origin: Origin) {
        let server = Arc::clone(self);
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.connections.spawn(async move {
                connection::serve(server, stream, origin).await;
                drop(place);
            });
        } else {
            tokio::spawn(async move { server.overflow.refuse(stream, server.app.limits.connections).await });
        }
    }

    async fn survive(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return; // the client's doing, and the next one may be fine
        }
        if let Some(times) = self.accept_failures.count() {
            tracing::error!(%error, times, "cannot accept a connection");
        }
        let pause = tokio::time::sleep(ACCEPT_PAUSE);
        self.app.shutdown.run_until_cancelled(pause).await;
    }

    async fn drain(&self) {
        self.handlers.close();
        self.connections.close();
        let drained = async {
            self.connections.wait().await;
            self.handlers.wait().await;
        };
        if tokio::time::timeout(self.app.limits.drain, drained).await.is_err() {
            let (connections, handlers) = (self.connections.len(), self.handlers.len());
            tracing::warn!(connections, handlers, "stopped before every client was served");
        }
    }

    async fn answer(
        &self,
        origin: Origin,
        request: hyper::Request<Incoming>,
        progress: &Arc<Progress>,
    ) -> hyper::Response<LoggedBody> {
        progress.begin_request();
        let client = Client::of(origin.peer, request.headers(), &self.app.config.api.trusted_proxies);
        let (id, asking) = (client.request_id.clone(), client.clone());
        let mut who = None;
        let mut line = AccessLine::begin(&self.app, &client, request.method(), request.uri());
        let answer = match self.admit(origin, client, request, &mut line, &mut who) {
            Ok((route, request)) => self.handle(route, request, &line).await,
            Err(refused) => Err(refused),
        };
        if let Err(error) = &answer
            && refusals::is_refusal(error, who.as_ref())
        {
            let reason = error.message().unwrap_or_default().to_owned();
            // Apart from the connection, so that who goes away at once is recorded as well.
            let note = refusals::note(Arc::clone(&self.app), who, asking, line.asked(), reason);
            let _ = self.handlers.spawn(note).await;
        }
        let mut response = answer.unwrap_or_else(|error| line.span.in_scope(|| error.into_response(&id)));
        defences::add(response.headers_mut(), &self.app.public_url);
        response.headers_mut().insert(X_REQUEST_ID, id.to_header());
        line.answered(response.status());
        response.map(|body| LoggedBody::new(body, line, progress))
    }

    /// Checks that a request is meant for us, finds its route, and whether whoever asks may use it. `who` gets them as soon
    /// as they are known.
    fn admit(
        &self,
        origin: Origin,
        client: Client,
        request: hyper::Request<Incoming>,
        line: &mut AccessLine,
        who: &mut Option<Identity>,
    ) -> Result<(&'static Route, Request), ApiError> {
        let (head, body) = request.into_parts();
        let names = Names { public_url: &self.app.public_url, is_local: origin.is_local };
        host::check(names, &head.method, &head.uri, &head.headers)?;
        let identity = self.app.auth.identify(&Request::presented_by(&head.headers), Time::now());
        line.identified(identity.user().map_or("", |user| user));
        *who = Some(identity.clone());
        let found = table::find(self.routes, &head.method, head.uri.path());
        let (route, path) = found.or_else(|error| page::instead_of(error, &head))?;
        line.routed(route.path);
        if !route.is_unattended {
            self.note_use(&identity);
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
            body_limit: self.app.limits.body_read,
        };
        Ok((route, request))
    }

    /// Notes meanwhile that a session is used, if it is one and was not noted for a while.
    fn note_use(&self, identity: &Identity) {
        if let Auth::Guarded(guard) = &self.app.auth
            && let Some(session_use) = guard.session_use(identity, Time::now())
        {
            self.handlers.spawn_blocking(move || session_use.note());
        }
    }

    async fn handle(&self, route: &Route, request: Request, line: &AccessLine) -> Result<Response, ApiError> {
        let handler = (route.handler)(Arc::clone(&self.app), request);
        let task = self.handlers.spawn(handler.instrument(line.span.clone()));
        let answer = task.await.unwrap_or_else(|panic| Err(ApiError::internal(panic)));
        if route.is_secret { answer.map(response::unstored) } else { answer }
    }
}

#[cfg(test)]
mod tests;
