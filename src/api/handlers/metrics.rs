//! `GET /metrics`: figures for Prometheus.

use std::sync::Arc;

use hyper::StatusCode;

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::response::{Response, uncached};

/// The media type of the text format of `OpenMetrics` 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`.
///
/// # Errors
/// None.
pub async fn metrics(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let disk = app.disks.spool(app.limits.disk).await;
    let free = disk.and_then(|disk| disk.space.ok()).map(|space| space.available);
    let text = app.metrics.scrape(&app.mirror.view(), &app.config, free).map_err(ApiError::internal)?;
    Ok(uncached(StatusCode::OK, OPEN_METRICS, body::full(text)))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::api::testing::{Bench, Client, request, runner_state, status, until};
    use crate::health::disk::Disk;
    use crate::health::metrics::StreamKind;
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
        let [logs, events] = [StreamKind::Log, StreamKind::Events].map(|kind| app.metrics.streams(kind));
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
        let look = app.disks.of_spool.look(Duration::from_millis(1), move || hang.recv().unwrap());
        assert!(look.await.is_none());
        let text = scrape(&mut Client::connect(Bench::serve(app).await).await).await;
        assert!(text.contains("\nspiderpig_runner_up ") && !text.contains("\nspiderpig_spool_free_bytes{"), "{text}");
    }
}
