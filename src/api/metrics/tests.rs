use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc;

use super::*;
use crate::api::testing::{Bench, Client, request, soon, status, until};
use crate::spool::status::State;

/// Sample, with its labels → value. Every sample must be announced, and the end must be there.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let (text, rest) = text.split_once("# EOF\n").unwrap();
    assert_eq!(rest, "");
    let (mut helped, mut types, mut samples) = (HashSet::new(), BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (family, help) = help.split_once(' ').unwrap();
            assert!(family.starts_with("spiderpig_") && help.len() > 5 && helped.insert(family), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (family, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(family) && types.insert(family, kind).is_none(), "{line}");
        } else if let Some(unit) = line.strip_prefix("# UNIT ") {
            let (family, unit) = unit.split_once(' ').unwrap();
            assert!(family.ends_with(unit), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let of = |suffixes: &[&str]| {
                suffixes.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(|family| types.contains_key(family)))
            };
            let announced = match types.get(name) {
                Some(kind) => *kind == "gauge",
                None => of(&["_total", "_bucket", "_sum", "_count"]),
            };
            assert!(announced, "{line}");
            assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line}");
        }
    }
    samples
}

async fn scrape(client: &mut Client) -> BTreeMap<String, f64> {
    let reply = client.ask("GET /metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some(CONTENT_TYPE));
    parse(&reply.body)
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let mut client = Client::connect(Bench::serve(Bench::new().app()).await).await;
    for line in ["GET /api/jobs/1", "GET /api/jobs/2", "HEAD /healthz", "GET /nowhere/1", "PUT /api/jobs", "BREW /tea"]
    {
        client.ask(line).await;
    }
    let samples = scrape(&mut client).await;
    let requests = |labels: &str| samples[&format!("spiderpig_http_requests_total{{{labels}}}")];
    assert_eq!(requests(r#"method="GET",route="/api/jobs/{id:number}",status="404""#), 2.0);
    assert_eq!(requests(r#"method="HEAD",route="/healthz",status="200""#), 1.0);
    assert_eq!(requests(r#"method="GET",route="none",status="404""#), 1.0);
    assert_eq!(requests(r#"method="PUT",route="none",status="405""#), 1.0);
    assert_eq!(requests(r#"method="other",route="none",status="404""#), 1.0);
    let durations = r#"spiderpig_http_request_duration_seconds_count{method="GET",route="/api/jobs/{id:number}"}"#;
    assert_eq!(samples[durations], 2.0);
}

#[tokio::test]
async fn jobs_are_counted_by_state_and_queues_by_lane() {
    let bench = Bench::new();
    for (number, state) in [(1, State::Succeeded), (2, State::Succeeded), (3, State::Failed)] {
        let mut done = status(number, State::Running);
        let job = bench.claim(&done);
        done.finish(state, "done", None);
        bench.finish(&job, &done);
    }
    // The last line of a number counts.
    let mut again = status(2, State::Running);
    again.finish(State::Lost, "lost", None);
    bench.tidy(&again);
    let _running = bench.claim(&status(4, State::Running));
    bench.queue(&request(5));
    bench.queue(&request(6));
    bench.spool.pause(&bench.runner, "lunch").unwrap();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;

    let samples = scrape(&mut client).await;
    let jobs = |state: &str| samples[&format!("spiderpig_jobs{{state=\"{state}\"}}")];
    assert_eq!(State::ALL.map(|state| jobs(state.word())).iter().sum::<f64>(), 6.0);
    assert_eq!(["queued", "running", "succeeded", "failed", "lost"].map(jobs), [2.0, 1.0, 1.0, 1.0, 1.0]);
    let lane = |figure: &str, lane: &str| samples[&format!("spiderpig_queue_{figure}{{lane=\"{lane}\"}}")];
    assert_eq!((lane("jobs", "default"), lane("jobs", "other")), (2.0, 0.0));
    assert_eq!(lane("oldest_age_seconds", "other"), 0.0);
    assert!(lane("oldest_age_seconds", "default") > 1e9, "they were submitted in 1970");
    assert_eq!((samples["spiderpig_runner_up"], samples["spiderpig_runner_paused"]), (1.0, 1.0));
    assert!(samples["spiderpig_spool_free_bytes"] > 0.0);
    assert!(samples.contains_key("spiderpig_spool_last_look_age_seconds"));
}

#[tokio::test]
async fn streams_are_counted_while_they_are_open() {
    let bench = Bench::new();
    let _running = bench.claim(&status(1, State::Running));
    let app = bench.app();
    let (logs, events) = ["log", "events"].map(|kind| app.metrics.streams.get_or_create_owned(&Open { kind })).into();
    let address = Bench::serve(app).await;
    let mut viewers = Vec::new();
    for path in ["/api/jobs/1/log", "/api/events", "/api/events"] {
        let mut viewer = Client::connect(address).await;
        viewer.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        viewer.read_until("\r\n\r\n").await;
        viewers.push(viewer);
    }
    until(|| (logs.get(), events.get()) == (1, 2)).await;
    let samples = scrape(&mut Client::connect(address).await).await;
    assert_eq!(samples["spiderpig_streams_open{kind=\"events\"}"], 2.0);
    drop(viewers);
    until(|| (logs.get(), events.get()) == (0, 0)).await;
}

#[tokio::test]
async fn a_disk_that_hangs_takes_no_other_figures_with_it() {
    let bench = Bench::new();
    let mut app = bench.app();
    app.limits.disk = Duration::from_millis(1);
    let (_release, hang) = mpsc::channel::<Disk>();
    let hanging = app.disk.look(Duration::from_millis(1), move || hang.recv().unwrap());
    assert!(soon(hanging).await.is_none());
    let samples = scrape(&mut Client::connect(Bench::serve(app).await).await).await;
    assert!(samples.contains_key("spiderpig_runner_up") && !samples.contains_key("spiderpig_spool_free_bytes"));
}
