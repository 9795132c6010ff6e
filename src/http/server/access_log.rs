//! One line of log for each request, written when its response has ended, however it ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::{Method, StatusCode, Uri};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::field::Empty;

use super::Service;
use super::progress::Progress;
use crate::config::ClientAddress;
use crate::http::body::{Body, CutOff};
use crate::http::client::Client;

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The kernel has taken all of it, to be sent.
    Complete,
    /// The client closed the connection before.
    ClientWentAway,
    /// The client took too long to take it.
    TimedOut,
    /// A stream ended before it was whole, and without its last chunk.
    CutOff,
    /// The service stopped. A stream was ended in order, and its client comes back; anything else was cut off.
    ShutDown,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientWentAway => "client went away",
            Self::TimedOut => "timed out",
            Self::CutOff => "cut off",
            Self::ShutDown => "shut down",
        }
    }
}

/// The line of one request. It is written when this is dropped, so none is missed.
pub struct AccessLine {
    /// Carries the request id and the user, also to what handlers log.
    pub span: Span,
    shutdown: CancellationToken,
    address: ClientAddress,
    method: Method,
    path: String,
    route: Option<&'static str>,
    begin: Instant,
    status: Option<StatusCode>,
    bytes: u64,
    ending: Option<Ending>,
}

impl AccessLine {
    /// For a request whose head has just been read.
    pub(super) fn begin(client: &Client, method: &Method, uri: &Uri, shutdown: CancellationToken) -> Self {
        Self {
            // Of the highest level, because errors need the id however little is logged.
            span: tracing::error_span!("request", request_id = client.request_id.as_str(), user = Empty),
            shutdown,
            address: client.address,
            method: method.clone(),
            // The query is left out: it may hold a ticket.
            path: utf8_percent_encode(uri.path(), CONTROLS).to_string(),
            route: None,
            begin: Instant::now(),
            status: None,
            bytes: 0,
            ending: None,
        }
    }

    /// Notes who asks: a user's name, or nothing if that is not known.
    pub fn identified(&self, user: &str) {
        self.span.record("user", user);
    }

    /// What is asked for: the method and the path, `POST /api/jobs` say.
    #[must_use]
    pub fn asked(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Notes which route answers. Clients cannot choose its name, so that figures may be counted by it.
    pub fn routed(&mut self, route: &'static str) {
        self.route = Some(route);
    }

    /// The answer is known, and about to be sent.
    pub(super) fn answered(&mut self, status: StatusCode, service: &impl Service) {
        self.status = Some(status);
        service.answered(&self.method, self.route, status, self.begin.elapsed());
    }

    /// Writes the line.
    pub(super) fn end(mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    /// Whether a response to this request has no body, whatever its head says.
    fn has_no_body(&self) -> bool {
        self.method == Method::HEAD || matches!(self.status, Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED))
    }

    fn is_shutting_down(&self) -> bool {
        self.shutdown.is_cancelled()
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let lost = || if self.is_shutting_down() { Ending::ShutDown } else { Ending::ClientWentAway };
        let ended = self.ending.unwrap_or_else(lost).as_str();
        let Self { address, method, path, route, bytes, .. } = self;
        let status = self.status.map(|status| status.as_u16());
        let duration_ms = (self.begin.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        self.span.in_scope(|| {
            tracing::info!(target: "access", %address, %method, path, route, status, bytes, duration_ms, ended, "request");
        });
    }
}

/// The body of a response, which counts what of it is given to the connection.
pub struct LoggedBody {
    body: Body,
    progress: Arc<Progress>,
    /// None once it is written, or waits for the kernel to take the last bytes.
    line: Option<AccessLine>,
    has_ended: bool,
}

impl LoggedBody {
    pub fn new(body: Body, line: AccessLine, progress: &Arc<Progress>) -> Self {
        progress.begin_response(body.size_hint().exact().is_some() || line.has_no_body());
        Self { body, progress: Arc::clone(progress), line: Some(line), has_ended: false }
    }

    /// A stream ends in order when the service stops, although there would be more to come.
    fn is_cut_short(&self, line: &AccessLine) -> bool {
        self.body.size_hint().exact().is_none() && line.is_shutting_down()
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                if let Some(line) = &mut self.line {
                    line.bytes += length as u64;
                }
            }
            Poll::Ready(None) => self.has_ended = true,
            Poll::Ready(Some(Err(CutOff))) => {
                if let Some(line) = self.line.take() {
                    let ending = if line.is_shutting_down() { Ending::ShutDown } else { Ending::CutOff };
                    line.end(ending);
                }
            }
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else { return };
        let is_whole = self.has_ended || self.body.is_end_stream() || line.has_no_body();
        let ending = if self.is_cut_short(&line) { Ending::ShutDown } else { Ending::Complete };
        if is_whole {
            self.progress.end_response(line, ending);
        } else if self.progress.is_timed_out() {
            line.end(Ending::TimedOut);
        }
    }
}
