use serde_json::json;

use crate::api::mirror::Ending;
use crate::api::testing::{Bench, Client, job_id, request, status, until};
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
