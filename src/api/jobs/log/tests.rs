use serde_json::json;

use crate::api::mirror::Ending;
use crate::api::testing::{Bench, Client, job_id, request, status, until};
use crate::protocol::Piece;
use crate::spool::reject;
use crate::spool::status::State;

const EOF: &str = "0\r\n\r\n";

async fn follow(bench: &Bench, query: &str) -> Client {
    let app = bench.app();
    until(|| app.mirror.view().ending(job_id(1)) != Ending::NoSuchJob).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.write(format!("GET /api/jobs/1/log{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.contains("200 OK") && head.contains("application/octet-stream"), "{head}");
    client
}

/// What is left of a stream, without the marks of its chunks.
async fn rest(client: &mut Client) -> Vec<String> {
    let text = client.read_until(EOF).await;
    text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_job_is_followed_from_the_queue_to_its_end() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = follow(&bench, "").await;
    client.read_until("{\"type\":\"connected\",\"recno\":0}\n").await;
    client.read_until("{\"type\":\"waitingForLogfile\",\"recno\":0}\n").await;

    let mut status = status(1, State::Running);
    let job = bench.claim(&status);
    let mut log = job.log_writer().unwrap();
    for line in ["one", "two"] {
        log.note(line);
        log.flush().unwrap();
        client.read_until(&format!("[Jobrunner: {line}]")).await;
    }
    log.note("last");
    log.flush().unwrap();
    status.finish(State::Succeeded, "succeeded", None);
    status.log_records = log.records();
    bench.finish(&job, &status);
    let rest = rest(&mut client).await;
    assert_eq!(rest.last().unwrap(), "{\"type\":\"EOF\",\"recno\":3}");
    assert!(rest.iter().any(|line| line.contains("last")), "{rest:?}");
}

#[tokio::test]
async fn a_stored_log_of_many_chunks_comes_whole_and_can_be_resumed() {
    let bench = Bench::new();
    let mut status = status(1, State::Running);
    let job = bench.claim(&status);
    let mut log = job.log_writer().unwrap();
    for number in 1..=20_000 {
        log.note(format!("line {number}"));
    }
    log.flush().unwrap();
    status.finish(State::Succeeded, "succeeded", None);
    bench.finish(&job, &status);
    let mut client = follow(&bench, "").await;
    let lines = rest(&mut client).await;
    assert_eq!(lines.len(), 20_002);
    let line = serde_json::from_str::<serde_json::Value>(&lines[12_345]).unwrap();
    assert_eq!(line, json!({ "type": "line", "line": "[Jobrunner: line 12345]", "recno": 12_345 }));

    let mut client = follow(&bench, "?resume_record=19999").await;
    assert_eq!(
        rest(&mut client).await,
        [
            "{\"type\":\"connected\",\"recno\":19999}",
            "{\"type\":\"line\",\"line\":\"[Jobrunner: line 20000]\",\"recno\":20000}",
            "{\"type\":\"EOF\",\"recno\":20000}",
        ]
    );
    let mut client = follow(&bench, "?resume_record=30000").await;
    assert_eq!(
        rest(&mut client).await,
        ["{\"type\":\"connected\",\"recno\":30000}", "{\"type\":\"EOF\",\"recno\":30000}"]
    );
}

#[tokio::test]
async fn what_never_had_a_log_is_at_its_end() {
    let ends = ["{\"type\":\"connected\",\"recno\":0}", "{\"type\":\"EOF\",\"recno\":0}"];
    let bench = Bench::new();
    bench.queue(&request(1));
    reject::reject(&bench.spool, &bench.runner, "1.json".as_ref(), "why not").unwrap();
    assert_eq!(rest(&mut follow(&bench, "").await).await, ends);

    let bench = Bench::new();
    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    status.finish(State::Cancelled, "cancelled", None);
    job.write_final_status(&status).unwrap();
    assert_eq!(rest(&mut follow(&bench, "?include_sensitive=true").await).await, ends);
}

#[tokio::test]
async fn a_job_that_is_taken_out_of_the_queue_ends_its_stream_without_eof() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = follow(&bench, "").await;
    client.read_until("waitingForLogfile").await;
    crate::spool::queue::remove(&bench.spool, job_id(1)).unwrap();
    assert_eq!(rest(&mut client).await, Vec::<String>::new());
}

async fn window(client: &mut Client, arguments: &str) -> serde_json::Value {
    let reply = client.ask(&format!("GET /api/jobs/1/log/records?{arguments}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// A running job whose log has `records` remarks, and a client.
async fn job_with_notes(bench: &Bench, records: u64) -> (Client, crate::spool::log::LogWriter) {
    let job = bench.claim(&status(1, State::Running));
    let mut log = job.log_writer().unwrap();
    for number in 1..=records {
        log.note(format!("remark {number}"));
    }
    log.flush().unwrap();
    let app = bench.app();
    until(|| app.mirror.view().ending(job_id(1)) != Ending::NoSuchJob).await;
    (Client::connect(Bench::serve(app).await).await, log)
}

fn numbers(window: &serde_json::Value) -> Vec<u64> {
    window["records"].as_array().unwrap().iter().filter_map(|record| record["recno"].as_u64()).collect()
}

#[tokio::test]
async fn a_window_is_a_part_of_the_log_by_numbers() {
    let bench = Bench::new();
    let (mut client, mut log) = job_with_notes(&bench, 2500).await;
    for (arguments, first, last, next) in [
        ("", 1, 200, 201),
        ("from=1500&count=3", 1500, 1502, 1503),
        ("from=-3", 2498, 2500, 2501),
        ("from=-9999&count=2", 1, 2, 3),
        ("from=2499&count=99999", 2499, 2500, 2501),
    ] {
        let window = window(&mut client, arguments).await;
        let numbers = numbers(&window);
        assert_eq!((numbers[0], *numbers.last().unwrap(), &window["next"]), (first, last, &json!(next)), "{arguments}");
        assert_eq!((&window["total"], &window["from"]), (&json!(2500), &json!(first)), "{arguments}");
        assert_eq!(window["records"][0]["note"], format!("remark {first}"));
        assert!(window["records"][0]["time"].is_string());
    }
    let behind = window(&mut client, "from=2501").await;
    assert_eq!(behind, json!({ "records": [], "from": 2501, "next": 2501, "total": 2500, "hidden": 0 }));
    let far_behind = window(&mut client, "from=9000").await;
    assert_eq!((&far_behind["records"], &far_behind["next"]), (&json!([]), &json!(9000)));
    log.note("remark 2501");
    log.flush().unwrap();
    assert_eq!(numbers(&window(&mut client, "from=-1").await), [2501]);
    for bad in ["from=0", "from=x", "count=-1"] {
        assert_eq!(client.ask(&format!("GET /api/jobs/1/log/records?{bad}")).await.status, 422, "{bad}");
    }
    assert_eq!(client.ask("GET /api/jobs/2/log/records").await.status, 404);
}

#[tokio::test]
async fn a_window_hides_what_is_sensitive_and_shows_what_is_damaged() {
    let bench = Bench::new();
    let (mut client, mut log) = job_with_notes(&bench, 1).await;
    log.text(Piece { text: "hunter2", sensitive: true, ..Piece::default() });
    log.flush().unwrap();
    let path = bench.spool.job(job_id(1)).join("log.jsonl");
    let mut file = crate::spool::atomic::open_append(&path, 0o640).unwrap();
    std::io::Write::write_all(&mut file, b"damage\n").unwrap();
    let hidden = window(&mut client, "").await;
    assert_eq!((numbers(&hidden), &hidden["hidden"], &hidden["total"]), (vec![1, 3], &json!(1), &json!(3)));
    assert_eq!(hidden["records"][1], json!({ "recno": 3, "type": "damaged" }));
    let shown = window(&mut client, "include_sensitive=true").await;
    assert_eq!((numbers(&shown), &shown["records"][1]["line"]), (vec![1, 2, 3], &json!("hunter2")));
}

#[tokio::test]
async fn a_window_of_long_records_ends_early() {
    let bench = Bench::new();
    let (mut client, mut log) = job_with_notes(&bench, 0).await;
    for _ in 0..30 {
        log.note("x".repeat(60_000));
    }
    log.flush().unwrap();
    let first = window(&mut client, "").await;
    let next = first["next"].as_u64().unwrap();
    assert!((10..30).contains(&next), "{next}");
    assert_eq!(window(&mut client, &format!("from={next}")).await["from"], next);
}

#[tokio::test]
async fn a_job_without_a_log_has_an_empty_window_and_no_matches() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let app = bench.app();
    let mut client = Client::connect(Bench::serve(app).await).await;
    let empty = json!({ "records": [], "from": 1, "next": 1, "total": 0, "hidden": 0 });
    assert_eq!(window(&mut client, "from=-5").await, empty);
    assert_eq!(
        found(&mut client, "q=x").await,
        [json!({ "type": "end", "matches": 0, "records": 0, "hidden": 0, "complete": true })]
    );
}

async fn found(client: &mut Client, arguments: &str) -> Vec<serde_json::Value> {
    client.write(format!("GET /api/jobs/1/log/search?{arguments} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.contains("200 OK"), "{head}");
    rest(client).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_search_finds_lines_whatever_their_case_and_only_what_may_be_seen() {
    let bench = Bench::new();
    let (mut client, mut log) = job_with_notes(&bench, 100).await;
    log.text(Piece { text: "the password", sensitive: true, ..Piece::default() });
    log.text(Piece { text: "say \"REMARK\" 7", ..Piece::default() });
    log.flush().unwrap();
    let end = |matches: u64, hidden: u64| json!({ "type": "end", "matches": matches, "records": 102, "hidden": hidden, "complete": true });
    let matched = |recno: u64| json!({ "type": "match", "recno": recno });
    assert_eq!(found(&mut client, "q=ReMark+42").await, [matched(42), end(1, 1)]);
    assert_eq!(found(&mut client, "q=say+%22remark%22").await, [matched(102), end(1, 1)]);
    assert_eq!(found(&mut client, "q=password").await, [end(0, 1)]);
    assert_eq!(found(&mut client, "q=password&include_sensitive=1").await, [matched(101), end(1, 0)]);
    for bad in ["", "q=", &format!("q={}", "x".repeat(1001))] {
        assert_eq!(client.ask(&format!("GET /api/jobs/1/log/search?{bad}")).await.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn a_search_is_bounded_in_matches_and_in_time() {
    let bench = Bench::new();
    let (mut client, _log) = job_with_notes(&bench, 80_000).await;
    let told = found(&mut client, "q=remark").await;
    assert_eq!(told.len(), 10_001);
    assert_eq!(told.last().unwrap()["complete"], false);

    let mut app = bench.app();
    app.limits.search = std::time::Duration::ZERO;
    until(|| app.mirror.view().ending(job_id(1)) != Ending::NoSuchJob).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    let told = found(&mut client, "q=nothing").await;
    assert_eq!(told.last().unwrap()["complete"], false, "{told:?}");
}
