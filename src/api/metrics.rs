//! Figures for Prometheus: what this service does, and how the spool stands.
//!
//! What the service does is counted as it happens. How the spool stands is looked up when somebody asks, in [`seen`].

mod seen;

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::app::App;
use super::body;
use super::error::ApiError;
use super::health::Disk;
use super::request::Request;
use super::response::{self, Response};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a request is counted under that no route fits.
const NO_ROUTE: &str = "none";

/// `GET /metrics`: the text format of `OpenMetrics`. A disk that hangs leaves out its figures and no others.
///
/// # Errors
/// None: memory does not refuse text.
pub async fn metrics(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let disk = Disk::ask(&app).await;
    let mut registry = Registry::with_prefix("spiderpig");
    app.metrics.register(&mut registry);
    seen::register(&app, disk.as_ref(), &mut registry);
    let mut text = String::new();
    text::encode(&mut text, &registry).map_err(ApiError::internal)?;
    Ok(response::uncached(StatusCode::OK, CONTENT_TYPE, body::full(text)))
}

/// What this service has done since it was started, and does now.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Family<Asked, Histogram, fn() -> Histogram>,
    streams: Family<Open, Gauge>,
}

/// A kind of response that goes on.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A log that is followed.
    Log,
    /// Everything that changes.
    Events,
}

/// A stream that is open until this is dropped.
#[derive(Debug)]
pub struct OpenStream(Gauge);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Open {
    kind: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0])),
            streams: Family::default(),
        };
        // A figure that is 0 is told too.
        for kind in [Kind::Log, Kind::Events] {
            drop(metrics.streams.get_or_create(&kind.label()));
        }
        metrics
    }
}

impl Metrics {
    /// A request was answered after `duration`: its response begins. `route` is the path of the line in the route table
    /// that fits; the path that was asked for would be a new series for each job.
    pub fn answered(&self, method: &Method, route: Option<&'static str>, status: StatusCode, duration: Duration) {
        let (method, route) = (method_label(method), route.unwrap_or(NO_ROUTE));
        self.requests.get_or_create(&Answered { method, route, status: status.as_u16() }).inc();
        self.durations.get_or_create(&Asked { method, route }).observe(duration.as_secs_f64());
    }

    /// A stream begins.
    #[must_use]
    pub fn stream(&self, kind: Kind) -> OpenStream {
        let open = self.streams.get_or_create_owned(&kind.label());
        open.inc();
        OpenStream(open)
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to that of its response",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("streams_open", "Streams that are open now", self.streams.clone());
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Kind {
    fn label(self) -> Open {
        let kind = match self {
            Self::Log => "log",
            Self::Events => "events",
        };
        Open { kind }
    }
}

/// Anybody can make up methods, and each would stay in memory.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
