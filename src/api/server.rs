//! Accepts connections, answers requests, and stops in time.
//!
//! Every request is answered in a task of its own, apart from its connection: a client that goes away does not undo a
//! mutation half done, and a handler that panics takes nobody else's answer with it. What hyper itself refuses (a head
//! that is malformed or too large) never becomes a request, and so has no request id.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::access;
use super::app::App;
use super::error::ApiError;
use super::request::Request;
use super::response::Response;
use super::routes::{self, ROUTES, Route};

/// The largest request head, in bytes; hyper's own default would be twenty times as much for each connection.
const MAX_HEAD: usize = 16 * 1024;

/// The pause after a failure to accept that only time can cure, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Serves until `app.shutdown` is cancelled; then ends the streams, lets open requests finish, and returns.
///
/// Returns at the latest [`drain`](super::app::Limits::drain) after the cancellation. Connections and handlers that are
/// not done by then end with the runtime.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    serve_routes(listener, app, ROUTES).await;
}

async fn serve_routes(listener: TcpListener, app: Arc<App>, routes: &'static [Route]) {
    let handlers = TaskTracker::new();
    let connections = GracefulShutdown::new();
    let server = Arc::new(Server { app, routes, handlers });

    while let Some(accepted) = server.app.shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let connection = Arc::clone(&server).serve_connection(stream, connections.watcher());
                tokio::spawn(connection);
            }
            Err(error) => server.survive(&error).await,
        }
    }
    drop(listener);
    server.drain(connections).await;
}

struct Server {
    app: Arc<App>,
    routes: &'static [Route],
    handlers: TaskTracker,
}

impl Server {
    async fn survive(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return; // the client's doing, and the next one may be fine
        }
        tracing::error!(%error, "cannot accept a connection");
        let pause = tokio::time::sleep(ACCEPT_PAUSE);
        self.app.shutdown.run_until_cancelled(pause).await;
    }

    async fn drain(&self, connections: GracefulShutdown) {
        self.handlers.close();
        let drained = async {
            connections.shutdown().await;
            self.handlers.wait().await;
        };
        if tokio::time::timeout(self.app.limits.drain, drained).await.is_err() {
            let handlers = self.handlers.len();
            tracing::warn!(handlers, "stopped before every client was served");
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream, watcher: Watcher) {
        // A line of log must not wait for the next one to fill its packet.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let limits = self.app.limits;
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_read)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> Response {
        let id = Uuid::new_v4();
        let line = AccessLine::begin(&self.app, id, &request);
        let found = Arc::new(OnceLock::new());
        let dispatch = dispatch(Arc::clone(&self.app), self.routes, id, request, Arc::clone(&found));
        let answer = async move { dispatch.await.unwrap_or_else(|error| error.into_response(id)) };
        let task = self.handlers.spawn(answer.instrument(line.span.clone()));
        let mut response = match task.await {
            Ok(response) => response,
            Err(panic) => line.span.in_scope(|| ApiError::internal(panic).into_response(id)),
        };
        response.headers_mut().insert(X_REQUEST_ID, id_header(id));
        let metrics = &self.app.metrics;
        metrics.answered(&line.method, found.get().copied(), response.status(), line.begin.elapsed());
        line.finish(response.status());
        response
    }
}

async fn dispatch(
    app: Arc<App>,
    routes: &'static [Route],
    id: Uuid,
    request: hyper::Request<Incoming>,
    found: Arc<OnceLock<&'static str>>,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    access::check(&app, &head.method, &head.uri, &head.headers)?;
    let (route, path) = routes::find(routes, &head.method, head.uri.path())?;
    let _ = found.set(route.path); // nobody else does
    let request = Request {
        id,
        user: Arc::clone(&app.user),
        path,
        headers: head.headers,
        uri: head.uri,
        body,
        body_limit: app.limits.body_read,
    };
    (route.handler)(app, request).await
}

#[expect(clippy::expect_used, reason = "a UUID is written in hexadecimal digits and hyphens")]
fn id_header(id: Uuid) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("a UUID is a header value")
}

/// The line that the log gets for a request: when its response begins, or when its client went away before.
struct AccessLine {
    /// Carries the request id and the user, also to what handlers log.
    span: Span,
    method: Method,
    path: String,
    begin: Instant,
    status: Option<StatusCode>,
}

impl AccessLine {
    fn begin(app: &App, id: Uuid, request: &hyper::Request<Incoming>) -> Self {
        Self {
            // Of the highest level, because errors need the id however little is logged.
            span: tracing::error_span!("request", request_id = %id, user = &*app.user),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            begin: Instant::now(),
            status: None,
        }
    }

    fn finish(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let Self { span, method, path, begin, status } = self;
        let duration = begin.elapsed();
        span.in_scope(|| {
            if let Some(status) = status {
                tracing::info!(%method, path, status = status.as_u16(), ?duration, "answered");
            } else {
                tracing::info!(%method, path, ?duration, "client went away");
            }
        });
    }
}

#[cfg(test)]
mod tests;
