//! One connection: hyper, and the deadline that hyper's client has.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};

use super::observed::Observed;
use super::progress::{Phase, Progress};
use super::{Server, Service};
use crate::config::ClientAddress;
use crate::http::listener::Stream;

/// The largest request head, in bytes; hyper's own default would be twenty times as much for each connection.
pub const MAX_HEAD: usize = 16 * 1024;

/// What is known of a connection before it says anything.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Who is at the other end.
    pub peer: ClientAddress,
    /// Only this machine can reach the listener.
    pub is_local: bool,
}

/// How a connection ended.
enum End {
    Closed(hyper::Result<()>),
    TimedOut,
    /// The service stops, and no request was open.
    Stopped,
}

/// Serves a connection to its end.
pub async fn serve<S: Service>(server: Arc<Server<S>>, stream: Stream, origin: Origin) {
    let progress = Arc::new(Progress::new(server.settings.limits));
    match run(&server, stream, origin, &progress).await {
        // It never became a request, so this is all that the log has of it.
        End::Closed(Err(error)) if error.is_parse() => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::info!(peer = %origin.peer, %error, cause, "refused a malformed request");
        }
        End::Closed(Err(error)) => tracing::debug!(peer = %origin.peer, %error, "connection ended early"),
        End::TimedOut if progress.time_out() == Phase::Head => {
            tracing::info!(peer = %origin.peer, "closed a connection on which half a request came");
        }
        End::Closed(Ok(())) | End::Stopped | End::TimedOut => {}
    }
}

async fn run<S: Service>(server: &Arc<Server<S>>, stream: Stream, origin: Origin, progress: &Arc<Progress>) -> End {
    let shutdown = &server.settings.shutdown;
    let io = Observed::new(stream, Arc::clone(progress), shutdown.clone());
    let service = service_fn(|request| {
        let (server, progress) = (Arc::clone(server), Arc::clone(progress));
        async move { Ok::<_, Infallible>(server.answer(origin, request, &progress).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None) // the deadline is ours
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(io), service)
    );
    let mut stop = pin!(shutdown.cancelled());
    let mut is_stopping = false;
    let mut timer = pin!(sleep_until(Instant::now() + server.settings.limits.idle));
    poll_fn(|context| {
        if !is_stopping && stop.as_mut().poll(context).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(context) {
            return Poll::Ready(End::Closed(result));
        }
        if is_stopping && progress.awaits_request() {
            return Poll::Ready(End::Stopped);
        }
        while let Some(deadline) = progress.deadline() {
            // Asked of the clock, because a client that floods us uses up what a timer needs to be polled.
            if Instant::now() >= deadline {
                return Poll::Ready(End::TimedOut);
            }
            // A timer that is too early is left alone until it fires: deadlines change with each request.
            if timer.is_elapsed() || timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                break;
            }
        }
        Poll::Pending
    })
    .await
}
