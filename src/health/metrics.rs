//! The counters of this service, and the figures that Prometheus reads.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::config::Config;
use crate::mirror::{Entry, Monitoring, View};
use crate::spool::Time;

/// The counters and gauges of this service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Histogram,
    streams: Family<OfKind, Gauge>,
    jobs: Family<InState, Gauge>,
    ended: Family<OfOutcome, Gauge>,
    queue: Family<InLane, Gauge>,
    waiting: Family<InLane, Gauge<f64, AtomicU64>>,
    /// Without labels, but absent when it is not known.
    free: Family<NoLabels, Gauge>,
    last_look: Gauge<f64, AtomicU64>,
    runner_up: Gauge,
    runner_paused: Gauge,
    monitoring_age: Family<OfFile, Gauge<f64, AtomicU64>>,
}

type NoLabels = [(&'static str, &'static str); 0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    /// As the route table has it, so that there are not as many as there are jobs.
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InLane {
    lane: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFile {
    file: &'static str,
}

/// What a stream tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// The log of one job.
    Log,
    /// The changes of all jobs.
    Events,
}

/// A stream is open as long as this is kept.
#[derive(Debug)]
pub struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("spiderpig"),
            requests: Family::default(),
            durations: Histogram::new(exponential_buckets(0.0005, 4.0, 8)),
            streams: Family::default(),
            jobs: Family::default(),
            ended: Family::default(),
            queue: Family::default(),
            waiting: Family::default(),
            free: Family::default(),
            last_look: Gauge::default(),
            runner_up: Gauge::default(),
            runner_paused: Gauge::default(),
            monitoring_age: Family::default(),
        };
        metrics.register();
        // A figure that is 0 is told too.
        for kind in [StreamKind::Log, StreamKind::Events] {
            drop(metrics.streams(kind));
        }
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("http_requests", "Requests that were answered", self.requests.clone());
        all.register_with_unit(
            "http_request_duration",
            "Time until a response began",
            Unit::Seconds,
            self.durations.clone(),
        );
        all.register("http_streams", "Streams that are open", self.streams.clone());
        all.register("jobs", "Jobs that the spool knows", self.jobs.clone());
        all.register("jobs_ended", "Jobs that the spool knows and that have ended, by how", self.ended.clone());
        all.register("queue_length", "Jobs that wait in a lane", self.queue.clone());
        let help = "Time for which the oldest job of a lane has waited";
        all.register_with_unit("lane_waiting", help, Unit::Seconds, self.waiting.clone());
        all.register_with_unit("spool_free", "Room on the spool's disk", Unit::Bytes, self.free.clone());
        let help = "Time since the whole spool was last looked at";
        all.register_with_unit("last_look_age", help, Unit::Seconds, self.last_look.clone());
        all.register("runner_up", "Whether a job runner works on the spool", self.runner_up.clone());
        all.register("runner_paused", "Whether the job runner starts no new jobs", self.runner_paused.clone());
        let help = "Time since what a file of monitoring/ tells was so";
        all.register_with_unit("monitoring_age", help, Unit::Seconds, self.monitoring_age.clone());
    }

    /// A request was answered; `route` is the path in the route table, if it has a route.
    pub fn answered(&self, method: &str, route: Option<&'static str>, status: u16, duration: Duration) {
        let method = match method {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            _ => "other",
        };
        let labels = Answered { method, route: route.unwrap_or("none"), status };
        self.requests.get_or_create(&labels).inc();
        self.durations.observe(duration.as_secs_f64());
    }

    /// A stream of a kind was opened.
    #[must_use]
    pub fn open_stream(&self, kind: StreamKind) -> OpenStream {
        let gauge = self.streams(kind);
        gauge.inc();
        OpenStream(gauge)
    }

    /// How many streams of a kind are open, now and later.
    #[must_use]
    pub fn streams(&self, kind: StreamKind) -> Gauge {
        let kind = match kind {
            StreamKind::Log => "log",
            StreamKind::Events => "events",
        };
        self.streams.get_or_create(&OfKind { kind }).clone()
    }

    /// All figures as text; those of the spool as they are now. `free` is the room on the spool's disk in bytes, if that is
    /// known.
    ///
    /// # Errors
    /// None: the text is written to memory.
    pub fn scrape(&self, view: &View, config: &Config, free: Option<u64>) -> Result<String, std::fmt::Error> {
        self.count_jobs(view);
        self.count_queue(view, config);
        self.free.clear();
        if let Some(free) = free {
            self.free.get_or_create(&[]).set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        self.last_look.set(view.last_full_look.elapsed().as_secs_f64());
        self.runner_up.set(view.runner.up.into());
        self.runner_paused.set(view.runner.paused.is_some().into());
        self.tell_ages(&view.monitoring);
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// A file that nobody has written has no age.
    fn tell_ages(&self, monitoring: &Monitoring) {
        self.monitoring_age.clear();
        let now = Time::now().as_seconds_f64();
        let tell = |file, time: Time| {
            self.monitoring_age.get_or_create(&OfFile { file }).set(now - time.as_seconds_f64());
        };
        monitoring.train.content.iter().for_each(|train| tell("train", train.time));
        monitoring.mediawiki.content.iter().for_each(|errors| tell("mediawiki", errors.time));
    }

    fn count_jobs(&self, view: &View) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (state, count) in view.count_by_state() {
            self.jobs.get_or_create(&InState { state: state.word() }).set(number(count));
        }
        for (outcome, count) in view.count_by_outcome() {
            self.ended.get_or_create(&OfOutcome { outcome: outcome.word() }).set(number(count));
        }
    }

    fn count_queue(&self, view: &View, config: &Config) {
        let lanes = config.lane_names().into_iter().map(|lane| (lane, (0, 0.0)));
        let mut lanes: BTreeMap<&str, (i64, f64)> = lanes.collect();
        let now = Time::now().as_seconds_f64();
        for (_, entry) in view.open() {
            let Entry::Queued(queued) = entry else { continue };
            let request = &queued.request;
            let Some(job_type) = config.job_type(&request.job_type) else { continue };
            let (length, oldest) = lanes.entry(&job_type.lane).or_default();
            *length += 1;
            *oldest = oldest.max(now - request.submitted_at.as_seconds_f64());
        }
        for (lane, (length, oldest)) in lanes {
            let lane = InLane { lane: lane.to_owned() };
            self.queue.get_or_create(&lane).set(length);
            self.waiting.get_or_create(&lane).set(oldest);
        }
    }
}
