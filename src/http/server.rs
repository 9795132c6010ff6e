//! Accepts connections, hands their requests to a [`Service`], and stops in time.
//!
//! | question | file |
//! |---|---|
//! | How is one connection served? | [`connection`] |
//! | Until when does a client have to do its part? | [`progress`], told by [`observed`]; [`limits`] has the times |
//! | What is logged of a request? | [`access_log`] |
//! | What happens if there are too many connections? | [`overflow`] |
//!
//! A request that hyper itself refuses (its head is malformed or too large) never reaches the service, and has no request
//! id. The log tells of it nonetheless.

mod access_log;
mod connection;
mod limits;
mod observed;
mod overflow;
mod progress;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::access_log::LoggedBody;
use self::connection::Origin;
use self::overflow::{Overflow, Throttle};
use self::progress::Progress;
use super::body::RequestBody;
use super::client::Client;
use super::listener::{Listener, Stream};
use super::request_id::X_REQUEST_ID;
use super::response::Response;
use crate::config::ClientAddress;

pub use self::access_log::AccessLine;
pub use self::connection::MAX_HEAD;
pub use self::limits::Limits;

/// The pause after a failure to accept that only time can cure, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers the requests that a server receives.
pub trait Service: Send + Sync + 'static {
    /// Answers a request, and notes in its line of the access log who asks and by which route.
    ///
    /// The future is dropped when the client goes away. Work that must go on then is a task of `tasks`: the server waits
    /// for these too before it stops.
    fn answer(&self, call: Call, line: &mut AccessLine, tasks: &TaskTracker) -> impl Future<Output = Response> + Send;

    /// Counts an answer that is about to be sent. `route` is what [`AccessLine::routed`] was told, and `took` the time
    /// since the request's head was read.
    fn answered(&self, method: &Method, route: Option<&'static str>, status: StatusCode, took: Duration);
}

/// A request, as a service gets it.
#[derive(Debug)]
pub struct Call {
    /// Where it comes from, and its id.
    pub client: Client,
    /// Whether only this machine can reach the listener on which it came.
    pub is_local: bool,
    /// Method, address and header fields.
    pub head: Parts,
    /// Its body, of which nothing is read yet.
    pub body: RequestBody,
}

/// What a server needs beside its service.
#[derive(Debug)]
pub struct Settings {
    /// How long it waits for clients, and how many it has.
    pub limits: Limits,
    /// The proxies that are believed when they say where a request comes from.
    pub trusted_proxies: Vec<ClientAddress>,
    /// Its cancellation ends the server.
    pub shutdown: CancellationToken,
}

/// Serves until the shutdown is cancelled; then lets open requests finish, and returns.
///
/// Returns at the latest [`drain`](Limits::drain) after the cancellation. Connections and tasks that are not done by then
/// end with the runtime.
pub async fn serve<S: Service>(listeners: Vec<Listener>, service: S, settings: Settings) {
    let server = Arc::new(Server {
        places: Arc::new(Semaphore::new(settings.limits.connections)),
        service,
        settings,
        tasks: TaskTracker::new(),
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
struct Server<S> {
    service: S,
    settings: Settings,
    /// One for each connection that may still be accepted.
    places: Arc<Semaphore>,
    connections: TaskTracker,
    tasks: TaskTracker,
    overflow: Overflow,
    accept_failures: Throttle,
}

impl<S: Service> Server<S> {
    /// Accepts until the shutdown. The listener is closed then, and what waits in its queue is for whoever is next.
    async fn accept_from(self: Arc<Self>, listener: Listener) {
        let is_local = listener.listen().is_local();
        while let Some(accepted) = self.settings.shutdown.run_until_cancelled(listener.accept()).await {
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
            tokio::spawn(async move { server.overflow.refuse(stream, server.settings.limits.connections).await });
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
        self.settings.shutdown.run_until_cancelled(pause).await;
    }

    async fn drain(&self) {
        self.tasks.close();
        self.connections.close();
        let drained = async {
            self.connections.wait().await;
            self.tasks.wait().await;
        };
        if tokio::time::timeout(self.settings.limits.drain, drained).await.is_err() {
            let (connections, handlers) = (self.connections.len(), self.tasks.len());
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
        let (head, body) = request.into_parts();
        let client = Client::of(origin.peer, &head.headers, &self.settings.trusted_proxies);
        let id = client.request_id.clone();
        let mut line = AccessLine::begin(&client, &head.method, &head.uri, self.settings.shutdown.clone());
        let body = RequestBody::new(body, self.settings.limits.body_read);
        let call = Call { client, is_local: origin.is_local, head, body };
        let mut response = self.service.answer(call, &mut line, &self.tasks).await;
        response.headers_mut().insert(X_REQUEST_ID, id.to_header());
        line.answered(response.status(), &self.service);
        response.map(|body| LoggedBody::new(body, line, progress))
    }
}
