use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::handlers::log::tests::{end, running};
use crate::api::testing::{Bench, Client, job_id, request, status, until};
use crate::spool::outcome::Outcome;
use crate::spool::queue;
use crate::spool::request::JobRequest;
use crate::spool::status::State;

/// An event as it came. The id is empty if it has none.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

async fn open(app: App, last_event: Option<&str>) -> (Client, std::net::SocketAddr) {
    let address = Bench::serve(app).await;
    (open_at(address, last_event).await, address)
}

async fn open_at(address: std::net::SocketAddr, last_event: Option<&str>) -> Client {
    open_with(address, "", last_event).await
}

async fn open_with(address: std::net::SocketAddr, query: &str, last_event: Option<&str>) -> Client {
    let mut client = Client::connect(address).await;
    let header = last_event.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    client.write(format!("GET /api/events{query} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.contains("text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
    client.read_until("retry: 2000\n\n").await;
    client
}

async fn next(client: &mut Client) -> Event {
    loop {
        let text = client.read_until("\n\n").await;
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name));
            value.map(|(_, value)| value.to_owned())
        };
        if let (id, Some(name), Some(data)) = (field("id"), field("event"), field("data")) {
            return Event { id: id.unwrap_or_default(), name, data: serde_json::from_str(&data).unwrap() };
        }
    }
}

/// The next event that tells of a job.
async fn next_job(client: &mut Client) -> Event {
    loop {
        let event = next(client).await;
        if event.name != "runner" {
            return event;
        }
    }
}

#[tokio::test]
async fn a_snapshot_comes_first_and_then_what_changes() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let app = bench.app();
    let (mut client, _) = open(app, None).await;
    let snapshot = next(&mut client).await;
    assert_eq!(snapshot.name, "snapshot");
    assert_eq!((&snapshot.data["jobs"][0]["id"], &snapshot.data["total"]), (&json!(1), &json!(1)));
    assert_eq!(snapshot.data["runner"]["paused"], Value::Null);

    let mut running = status(1, State::Running);
    let job = bench.claim(&running);
    while next_job(&mut client).await.data["state"] != "running" {}
    running.message = Some("half way".into());
    job.write_status(&running).unwrap();
    let event = next_job(&mut client).await;
    assert_eq!((&*event.name, &event.data["status"]["status"]), ("job", &json!("half way")));

    bench.queue(&request(2));
    assert_eq!(next_job(&mut client).await.data["state"], "queued");
    queue::remove(&bench.spool, job_id(2)).unwrap();
    let event = next_job(&mut client).await;
    assert_eq!((&*event.name, &event.data), ("removed", &json!({ "id": 2 })));

    bench.spool.pause(&bench.runner, "lunch").unwrap();
    loop {
        let event = next(&mut client).await;
        if event.name == "runner" && event.data["paused"] == "lunch" {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_it_missed_and_no_more() {
    let bench = Bench::new();
    let (mut client, address) = open(bench.app(), None).await;
    let snapshot = next(&mut client).await;
    for number in [1, 2] {
        bench.queue(&request(number));
    }
    let first = next_job(&mut client).await;
    let second = next_job(&mut client).await;
    drop(client);

    let mut client = open_at(address, Some(&snapshot.id)).await;
    assert_eq!([next_job(&mut client).await.id, next_job(&mut client).await.id], [first.id.clone(), second.id]);
    let mut client = open_at(address, Some(&first.id)).await;
    assert_eq!(next_job(&mut client).await.data["id"], 2);
    for strange in ["", "x", "-", "other-1", &format!("{}9", first.id), "-1", &format!("{}x", first.id)] {
        let mut client = open_at(address, Some(strange)).await;
        assert_eq!(next(&mut client).await.name, "snapshot", "{strange:?}");
    }
}

#[tokio::test]
async fn the_data_of_a_running_job_are_told_once_in_a_stream() {
    let bench = Bench::new();
    let mut status = status(1, State::Running);
    let data = json!({ "change_infos": [] });
    let asked = JobRequest { data: data.as_object().cloned(), ..request(1) };
    let job = bench.claim_as(&asked, &status);
    let (mut client, address) = open(bench.app(), None).await;
    let snapshot = next(&mut client).await;
    assert_eq!(snapshot.data["jobs"][0]["data"], data);
    for message in ["one", "two"] {
        status.message = Some(message.into());
        job.write_status(&status).unwrap();
        let event = next_job(&mut client).await;
        assert_eq!((&event.data["status"]["status"], event.data.get("data")), (&json!(message), None));
    }
    let mut again = open_at(address, Some(&snapshot.id)).await;
    assert_eq!(next_job(&mut again).await.data["data"], data, "it is another stream");
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_the_latest_state_once() {
    let bench = Bench::new();
    let mut running = status(1, State::Running);
    let job = bench.claim(&running);
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let before = app.mirror.view().changes.latest();
    for number in 0..200 {
        running.message = Some(format!("step {number}"));
        job.write_status(&running).unwrap();
    }
    until(|| {
        let view = app.mirror.view();
        let show = crate::api::handlers::jobs::show::Show::new(&view, &app.config);
        let entry = view.get(job_id(1)).unwrap();
        let job = serde_json::to_value(show.job(&entry)).unwrap();
        job["status"]["status"] == "step 199"
    })
    .await;
    let instance = app.mirror.view().changes.instance().to_owned();
    let (mut client, _) = open(app, Some(&format!("{instance}-{before}"))).await;
    assert_eq!(next_job(&mut client).await.data["status"]["status"], "step 199");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_told_the_latest_state_when_it_goes_on() {
    const CHANGES: usize = 5000;
    let bench = Bench::new();
    let mut running = status(1, State::Running);
    let job = bench.claim(&running);
    let (mut client, _) = open(bench.app(), None).await;
    assert_eq!(next(&mut client).await.name, "snapshot");
    // Together they are more than the buffers of a connection hold.
    let long = "x".repeat(4000);
    for number in 1..=CHANGES {
        running.message = Some(format!("{number} {long}"));
        job.write_status(&running).unwrap();
        tokio::task::yield_now().await;
    }
    let (mut told, mut latest) = (0, 0);
    while latest < CHANGES {
        let event = next_job(&mut client).await;
        let message = event.data["status"]["status"].as_str().unwrap_or("0").to_owned();
        let number = message.split(' ').next().unwrap().parse().unwrap();
        assert!(number > latest || told == 0, "{number} after {latest}");
        (told, latest) = (told + 1, number);
    }
    assert!(told < CHANGES, "each state was kept for a client that did not read");
}

/// What is told next of a log.
async fn next_length(client: &mut Client) -> Value {
    loop {
        let event = next(client).await;
        if event.name == "log" {
            assert_eq!(event.id, "", "a client that comes back names the last change");
            return event.data;
        }
        assert_ne!(event.id, "");
    }
}

fn length(records: u64, complete: bool) -> Value {
    json!({ "id": 1, "records": records, "complete": complete })
}

#[tokio::test]
async fn a_log_is_told_of_from_the_queue_to_its_end() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let address = Bench::serve(app).await;
    let mut client = open_with(address, "?log=1", None).await;
    let snapshot = next(&mut client).await;
    assert_eq!(snapshot.name, "snapshot");
    assert_eq!(next_length(&mut client).await, length(0, false));

    let (job, mut log) = running(&bench);
    for records in 1..=3 {
        log.note("a remark");
        log.flush().unwrap();
        assert_eq!(next_length(&mut client).await, length(records, false));
    }
    let mut resumed = open_with(address, "?log=1", Some(&snapshot.id)).await;
    assert_eq!(next_length(&mut resumed).await, length(3, false), "also who comes back is told where it is");

    log.note("the last");
    end(&bench, &job, &mut log);
    for client in [&mut client, &mut resumed, &mut open_with(address, "?log=1", None).await] {
        while next_length(client).await != length(4, true) {}
    }
}

#[tokio::test]
async fn one_stream_tells_of_many_logs() {
    let bench = Bench::new();
    (1..=3).for_each(|number| bench.queue(&request(number)));
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(3)).is_some()).await;
    let address = Bench::serve(app).await;
    let mut client = open_with(address, "?log=3&log=1&log=3", None).await;
    assert_eq!(next(&mut client).await.name, "snapshot");
    let mut told: Vec<_> = [next_length(&mut client).await, next_length(&mut client).await]
        .iter()
        .map(|length| length["id"].as_u64())
        .collect();
    told.sort_unstable();
    assert_eq!(told, [Some(1), Some(3)]);
    let (_job, mut log) = running(&bench);
    log.note("a remark");
    log.flush().unwrap();
    while next_length(&mut client).await != length(1, false) {}

    let mut client = Client::connect(address).await;
    let reply = client.ask("GET /api/events?log=1&log=4&log=2").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["detail"]["job_id"], 4, "the missing one is named");
    let many = (1..=101).map(|id| format!("log={id}")).collect::<Vec<_>>().join("&");
    assert_eq!(client.ask(&format!("GET /api/events?{many}")).await.status, 422);
}

#[tokio::test]
async fn an_end_is_told_with_the_last_record_and_without_a_log() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let mut client = open_with(Bench::serve(app).await, "?log=1", None).await;
    log.note("one");
    end(&bench, &job, &mut log);
    loop {
        let told = next_length(&mut client).await;
        if told["complete"] == true {
            assert_eq!(told, length(1, true));
            break;
        }
    }

    let bench = Bench::new();
    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    status.finish(State::Cancelled, Outcome::Cancelled, None);
    job.write_final_status(&status).unwrap();
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let mut client = open_with(Bench::serve(app).await, "?log=1", None).await;
    assert_eq!(next_length(&mut client).await, length(0, true));
}

#[tokio::test]
async fn a_log_that_grows_fast_is_told_of_now_and_then() {
    const RECORDS: u64 = 20_000;
    let bench = Bench::new();
    let (_job, mut log) = running(&bench);
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let address = Bench::serve(app).await;
    let mut client = open_with(address, "?log=1", None).await;
    let mut other = open_with(address, "?log=1", None).await;
    for _ in 0..RECORDS {
        log.note("a remark");
        log.flush().unwrap();
        tokio::task::yield_now().await;
    }
    let (mut told, mut latest) = (0, 0);
    while latest < RECORDS {
        let records = next_length(&mut client).await["records"].as_u64().unwrap();
        assert!(records > latest || told == 0, "{records} after {latest}");
        (told, latest) = (told + 1, records);
    }
    assert!(told < RECORDS / 10, "{told} events");
    while next_length(&mut other).await != length(RECORDS, false) {}
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it puts a directory where the log should be")]
async fn a_log_that_cannot_be_read_is_told_of_when_it_can() {
    let bench = Bench::new();
    let job = bench.claim(&status(1, State::Running));
    let path = job.directory().join("log.jsonl");
    std::fs::create_dir(&path).unwrap();
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let mut client = open_with(Bench::serve(app).await, "?log=1", None).await;
    assert_eq!(next(&mut client).await.name, "snapshot");
    bench.queue(&request(2));
    assert_eq!(next_job(&mut client).await.data["id"], 2, "other things are told meanwhile");

    std::fs::remove_dir(&path).unwrap();
    let mut log = job.log_writer().unwrap();
    log.note("a remark");
    log.flush().unwrap();
    while next_length(&mut client).await != length(1, false) {}
}

#[tokio::test]
async fn a_log_of_which_nothing_can_be_told_is_refused() {
    let bench = Bench::new();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    for (log, refusal) in [("", 422), ("one", 422), ("-1", 422), ("0", 404), ("1", 404), ("9999999999", 404)] {
        let reply = client.ask(&format!("GET /api/events?log={log}")).await;
        assert_eq!(reply.status, refusal, "{log:?}");
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives_and_ends_with_the_service() {
    let bench = Bench::new();
    let mut app = bench.app();
    app.limits.heartbeat = std::time::Duration::from_millis(1);
    let shutdown = app.shutdown.clone();
    let (mut client, _) = open(app, None).await;
    client.read_until(": nothing new\n\n").await;
    shutdown.cancel();
    client.read_until("0\r\n\r\n").await;
}

#[tokio::test]
async fn the_runner_is_shown_lane_by_lane() {
    let bench = Bench::new();
    bench.queue(&request(2));
    let mut state = crate::api::testing::runner_state("other", &[(2, "lane default is busy with job 1 of bob")]);
    state.problems = vec!["a problem".to_owned()];
    state.write(&bench.spool, &bench.runner).unwrap();
    let app = bench.app();
    until(|| app.mirror.view().runner.up).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    let runner = client.ask("GET /api/runner").await.json();
    let expected = json!({
        "up": true, "paused": null, "started_at": 0.0, "program": "test", "same_configuration": false,
        "watching": true, "problems": ["a problem"],
        "lanes": { "default": { "concurrency": 0, "holders": [], "waiting": [
            { "job": 2, "waiting_for": "lane default is busy with job 1 of bob" },
        ] } },
    });
    assert_eq!(runner, expected);
}
