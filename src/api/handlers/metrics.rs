//! Figures for Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::health::Disk;
use crate::api::app::App;
use crate::api::request::Request;
use crate::config::Config;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::response::{Response, uncached};
use crate::mirror::{Entry, Monitoring, View};
use crate::spool::Time;

/// The media type of the text format of `OpenMetrics` 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`.
///
/// # Errors
/// None.
pub async fn metrics(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let free = Disk::ask(&app).await.and_then(|disk| disk.space.ok()).map(|space| space.available);
    let text = app.metrics.scrape(&app.mirror.view(), &app.config, free).map_err(ApiError::internal)?;
    Ok(uncached(StatusCode::OK, OPEN_METRICS, body::full(text)))
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Histogram,
    streams: Family<Kind, Gauge>,
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
struct Kind {
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
        for kind in ["log", "events"] {
            drop(metrics.streams.get_or_create(&Kind { kind }));
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
    pub fn answered(&self, method: &Method, route: Option<&'static str>, status: StatusCode, duration: Duration) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            _ => "other",
        };
        let labels = Answered { method, route: route.unwrap_or("none"), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.durations.observe(duration.as_secs_f64());
    }

    /// A stream of a kind was opened.
    #[must_use]
    pub fn stream(&self, kind: &'static str) -> OpenStream {
        let gauge = self.streams.get_or_create(&Kind { kind }).clone();
        gauge.inc();
        OpenStream(gauge)
    }

    /// All figures as text; those of the spool as they are now.
    fn scrape(&self, view: &View, config: &Config, free: Option<u64>) -> Result<String, std::fmt::Error> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::testing::{Bench, Client, request, runner_state, status, until};
    use crate::spool::outcome::Outcome;
    use crate::spool::status::State;

    async fn scrape(client: &mut Client) -> String {
        let reply = client.ask("GET /metrics").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(OPEN_METRICS)));
        reply.body
    }

    #[track_caller]
    fn value(text: &str, name: &str) -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    #[tokio::test]
    async fn the_spool_is_told_in_figures() {
        let bench = Bench::new();
        let _running = bench.claim(&status(1, State::Running));
        bench.queue(&request(2));
        runner_state("", &[]).write(&bench.spool, &bench.runner).unwrap();
        bench.spool.pause(&bench.runner, "lunch").unwrap();
        let app = bench.app();
        until(|| app.mirror.view().open().count() == 2).await;
        let mut client = Client::connect(Bench::serve(app).await).await;
        let text = scrape(&mut client).await;
        for (name, expected) in [
            ("spiderpig_jobs{state=\"running\"}", 1.0),
            ("spiderpig_jobs{state=\"queued\"}", 1.0),
            ("spiderpig_jobs{state=\"failed\"}", 0.0),
            ("spiderpig_jobs_ended{outcome=\"rolled_back\"}", 0.0),
            ("spiderpig_queue_length{lane=\"default\"}", 1.0),
            ("spiderpig_queue_length{lane=\"other\"}", 0.0),
            ("spiderpig_lane_waiting_seconds{lane=\"other\"}", 0.0),
            ("spiderpig_runner_up", 1.0),
            ("spiderpig_runner_paused", 1.0),
        ] {
            assert!((value(&text, name) - expected).abs() < f64::EPSILON, "{name} in\n{text}");
        }
        assert!(value(&text, "spiderpig_lane_waiting_seconds{lane=\"default\"}") > 1e9, "it waits since 1970");
        assert!(value(&text, "spiderpig_spool_free_bytes{}") > 0.0);
        assert!(text.ends_with("# EOF\n"));
        let families = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(text.lines().filter(|line| line.starts_with("# HELP")).count(), families);
    }

    #[tokio::test]
    async fn files_of_other_programs_have_an_age_as_long_as_there_are_any() {
        let bench = Bench::new();
        let app = bench.app();
        bench.monitor("mediawiki.json", r#"{ "format": 1, "time": "1970-01-01T00:00:00Z", "log": {} }"#);
        until(|| app.mirror.view().monitoring.mediawiki.content.is_some()).await;
        let text = scrape(&mut Client::connect(Bench::serve(app).await).await).await;
        assert!(value(&text, "spiderpig_monitoring_age_seconds{file=\"mediawiki\"}") > 1e9, "{text}");
        assert!(!text.contains("file=\"train\""), "{text}");
    }

    #[tokio::test]
    async fn requests_are_counted_by_route_and_streams_while_they_are_open() {
        let bench = Bench::new();
        let address = Bench::serve(bench.app()).await;
        let mut client = Client::connect(address).await;
        for path in ["/api/jobs/1", "/api/jobs/2", "/nothing"] {
            client.ask(&format!("GET {path}")).await;
        }
        let mut stream = Client::connect(address).await;
        stream.write("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        stream.read_until("snapshot").await;
        let text = scrape(&mut client).await;
        let job = "spiderpig_http_requests_total{method=\"GET\",route=\"/api/jobs/{id:number}\",status=\"404\"}";
        assert!((value(&text, job) - 2.0).abs() < f64::EPSILON, "{text}");
        let nothing = "spiderpig_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}";
        assert!((value(&text, nothing) - 1.0).abs() < f64::EPSILON, "{text}");
        assert!(value(&text, "spiderpig_http_request_duration_seconds_count") >= 3.0);
        assert!((value(&text, "spiderpig_http_streams{kind=\"events\"}") - 1.0).abs() < f64::EPSILON, "{text}");
    }

    /// Fails for a sample that no family with a help and a type announces, and for one that is there twice.
    fn assert_well_formed(text: &str) {
        let (mut helped, mut types, mut samples) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let (text, rest) = text.split_once("# EOF\n").unwrap();
        assert_eq!(rest, "");
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", family, help] => assert!(helped.insert(family) && !help.is_empty(), "{line}"),
                ["#", "TYPE", family, kind] => assert!(types.insert(family, kind).is_none(), "{line}"),
                ["#", "UNIT", family, unit] => assert!(family.ends_with(unit), "{line}"),
                [sample, figure] => {
                    let name = sample.split('{').next().unwrap();
                    let suffixes: &[&str] = &["_total", "_bucket", "_sum", "_count"];
                    let family = match types.get(name) {
                        Some(&"gauge") => Some(name),
                        _ => suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)),
                    };
                    let announced = family.is_some_and(|family| helped.contains(family) && types.contains_key(family));
                    assert!(announced && name.starts_with("spiderpig_"), "{line}");
                    assert!(figure.parse::<f64>().is_ok() && samples.insert(sample), "{line}");
                }
                _ => panic!("{line:?}"),
            }
        }
        assert!(samples.len() > 20, "{text}");
    }

    #[tokio::test]
    async fn the_text_is_well_formed() {
        let mut client = Client::connect(Bench::serve(Bench::new().app()).await).await;
        client.ask("GET /api/jobs/1").await;
        assert_well_formed(&scrape(&mut client).await);
    }

    #[tokio::test]
    async fn finished_jobs_are_counted_once_by_their_last_line() {
        let bench = Bench::new();
        for (number, state, outcome) in [
            (1, State::Succeeded, Outcome::RolledBack),
            (2, State::Succeeded, Outcome::Succeeded),
            (1, State::Lost, Outcome::Lost),
        ] {
            let mut done = status(number, State::Running);
            done.finish(state, outcome, None);
            bench.tidy(&done);
        }
        let app = bench.app();
        let count = |state: State| app.mirror.view().count_by_state()[&state];
        assert_eq!((count(State::Succeeded), count(State::Lost)), (1, 1));
        let ended = |outcome: Outcome| app.mirror.view().count_by_outcome()[&outcome];
        assert_eq!([Outcome::Succeeded, Outcome::Lost, Outcome::RolledBack].map(ended), [1, 1, 0]);
        let mut done = status(3, State::Running);
        let job = bench.claim(&done);
        until(|| count(State::Running) == 1).await;
        done.finish(State::Failed, Outcome::Failed, None);
        bench.finish(&job, &done);
        until(|| app.mirror.view().history().len() == 3).await;
        assert_eq!((count(State::Running), count(State::Failed)), (0, 1));
        assert_eq!(ended(Outcome::Failed), 1);
        assert_eq!(app.mirror.view().count_by_state().values().sum::<usize>(), 3);
    }

    #[tokio::test]
    async fn streams_are_counted_until_their_clients_go() {
        let bench = Bench::new();
        let _running = bench.claim(&status(1, State::Running));
        let app = bench.app();
        let [logs, events] = ["log", "events"].map(|kind| app.metrics.streams.get_or_create(&Kind { kind }).clone());
        let address = Bench::serve(app).await;
        let mut viewers = Vec::new();
        for path in ["/api/jobs/1/log", "/api/events", "/api/events"] {
            let mut viewer = Client::connect(address).await;
            viewer.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
            viewer.read_until("\r\n\r\n").await;
            viewers.push(viewer);
        }
        assert_eq!((logs.get(), events.get()), (1, 2));
        drop(viewers);
        until(|| (logs.get(), events.get()) == (0, 0)).await;
    }

    #[tokio::test]
    async fn a_disk_that_hangs_takes_no_other_figure_with_it() {
        let mut app = Bench::new().app();
        app.limits.disk = Duration::from_millis(1);
        let (_release, hang) = std::sync::mpsc::channel::<Disk>();
        // It hangs until the test ends, and then fails.
        let look = app.disk.look(Duration::from_millis(1), move || hang.recv().unwrap());
        assert!(look.await.is_none());
        let text = scrape(&mut Client::connect(Bench::serve(app).await).await).await;
        assert!(text.contains("\nspiderpig_runner_up ") && !text.contains("\nspiderpig_spool_free_bytes{"), "{text}");
    }
}
