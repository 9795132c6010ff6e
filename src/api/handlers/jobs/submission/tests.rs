use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;

use fs2::FileExt as _;
use serde_json::{Value, json};

use crate::api::testing::{Bench, Client, Reply, job_id, until};
use crate::spool::{inbox, layout, queue, sequence};

const GREET: &str = r#"{"type":"greet","params":{"name":"World","key":"hunter2"}}"#;

async fn post(client: &mut Client, path: &str, headers: &str, body: &str) -> Reply {
    client.ask_with(&format!("POST {path}"), &format!("Host: localhost\r\n{headers}"), body).await
}

async fn create(address: SocketAddr, key: &str, body: &str) -> Reply {
    let mut client = Client::connect(address).await;
    post(&mut client, "/api/jobs", &format!("Idempotency-Key: {key}\r\n"), body).await
}

fn queued(bench: &Bench) -> usize {
    queue::list(&bench.spool).unwrap().0.len()
}

#[tokio::test]
async fn a_dry_run_tells_the_command_and_starts_nothing() {
    let bench = Bench::new();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    for dry in ["1", "true"] {
        let reply = post(&mut client, &format!("/api/jobs?dry_run={dry}"), "Idempotency-Key: k\r\n", GREET).await;
        let expected = json!({
            "message": "Nothing was started: this is what would be executed",
            "type": "greet",
            "lane": "default",
            "command": ["greet", "World", "•••"],
            "params": { "name": "World", "key": "•••" },
            "working_directory": "/",
        });
        assert_eq!((reply.status.as_u16(), reply.json()), (200, expected));
    }
    for bad in [r#"{"type":"nothing"}"#, r#"{"type":"greet"}"#, ""] {
        assert_eq!(post(&mut client, "/api/jobs?dry_run=1", "", bad).await.status, 422);
    }
    assert_eq!(post(&mut client, "/api/jobs?dry_run=maybe", "", GREET).await.status, 422);
    assert_eq!((queued(&bench), sequence::last(&bench.spool).unwrap()), (0, 0));
    assert!(!bench.state_directory().path().exists(), "a dry run uses up no key");
    assert_eq!(post(&mut client, "/api/jobs?dry_run=false", "", GREET).await.status, 201);
}

#[tokio::test]
async fn every_wrong_parameter_is_named_and_no_secret_is_repeated() {
    let bench = Bench::new();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    let body = r#"{"type":"greet","params":{"nmae":"hunter2","name":"-x","key":"hunter2\n"}}"#;
    let reply = post(&mut client, "/api/jobs", "", body).await;
    assert_eq!(reply.status, 422);
    let detail = reply.json()["detail"].clone();
    let brief: Vec<Value> = detail.as_array().unwrap().iter().map(|one| json!([one["loc"][2], one["input"]])).collect();
    assert_eq!(json!(brief), json!([["nmae", "•••"], ["name", "-x"], ["key", "•••"]]));
    assert!(detail[0]["msg"].as_str().unwrap().contains("job type `greet`"), "{detail}");
    for body in [
        body,
        r#"{"type":"greet","params":"hunter2"}"#,
        r#"{"type":"greet","params":{"name":"x"},"secret":"hunter2"}"#,
        r#"{"type":{"hunter2":1}}"#,
        r#"{"type":"greet","params":{"name":"x","key":["hunter2"]}}"#,
    ] {
        let reply = post(&mut client, "/api/jobs", "", body).await;
        assert!(reply.status == 422 && !reply.body.contains("hunter2"), "{}", reply.body);
    }
}

#[tokio::test]
async fn nonsense_of_any_size_is_refused_and_harms_nobody() {
    let bench = Bench::new();
    let address = Bench::serve(bench.app()).await;
    let deep = |open: &str| format!(r#"{{"type":"greet","params":{{"name":{}"#, open.repeat(100_000));
    let many: Vec<String> = (0..50_000).map(|number| format!(r#""p{number}":1"#)).collect();
    let long = "x".repeat(65 * 1024);
    let filler = "x".repeat((1 << 20) - 60);
    for (body, expected) in [
        (deep("["), 422),
        (deep(r#"{"a":"#), 422),
        (format!(r#"{{"type":"greet","params":{{"name":"{long}"}}}}"#), 422),
        (format!(r#"{{"type":"greet","params":{{"name":"x",{}}}}}"#, many.join(",")), 422),
        (format!(r#"{{"type":"greet","params":{{"name":"{filler}x"}}}}"#), 422),
        (" ".repeat(1 << 20) + GREET, 413),
    ] {
        let reply = post(&mut Client::connect(address).await, "/api/jobs", "", &body).await;
        assert_eq!(reply.status, expected, "{} bytes", body.len());
        assert!(reply.body.len() < (1 << 20) + 100_000, "{}", reply.body.len());
    }
    assert_eq!(queued(&bench), 0);
}

#[tokio::test]
async fn the_same_request_twice_is_one_job_also_at_another_api() {
    let bench = Bench::new();
    let (first, second) = (Bench::serve(bench.app()).await, Bench::serve(bench.app()).await);
    let reply = create(first, "\"abc\"", GREET).await;
    assert_eq!((reply.status.as_u16(), reply.header("idempotency-replayed")), (201, None), "{}", reply.body);
    for address in [first, second, Bench::serve(bench.app()).await] {
        let again = create(address, "\"abc\"", GREET).await;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")));
        assert_eq!((again.json(), again.header("location")), (reply.json(), Some("/api/jobs/1")));
    }
    assert_eq!(queued(&bench), 1);
    assert_eq!(create(second, "\"abd\"", GREET).await.json()["id"], 2);
    let mode = |path: &std::path::Path| path.metadata().unwrap().mode() & 0o7777;
    let records = bench.state_directory().join("idempotency");
    assert_eq!((mode(bench.state_directory().path()), mode(&records)), (0o700, 0o700));
    for name in layout::names(&records).unwrap() {
        assert_eq!(mode(&records.join(name)), 0o600);
    }
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let bench = Bench::new();
    let address = Bench::serve(bench.app()).await;
    assert_eq!(create(address, "k", GREET).await.status, 201);
    let other = create(address, "k", r#"{"type":"other"}"#).await;
    assert_eq!(other.status, 422);
    assert!(other.json()["detail"]["message"].as_str().unwrap().contains("another request"), "{}", other.body);
    assert_eq!(queued(&bench), 1);
}

#[tokio::test]
async fn a_request_that_started_nothing_uses_up_no_key() {
    let bench = Bench::new();
    let address = Bench::serve(bench.app()).await;
    assert_eq!(create(address, "k", r#"{"type":"greet"}"#).await.status, 422);
    let sequence = std::fs::read(bench.spool.sequence()).unwrap();
    crate::spool::atomic::remove(&bench.spool.sequence()).unwrap();
    assert_eq!(create(address, "k", GREET).await.status, 503);
    crate::spool::atomic::create_file(&bench.spool.sequence(), &sequence, 0o660).unwrap();
    assert_eq!(create(address, "k", GREET).await.json()["id"], 1);
}

#[tokio::test]
async fn of_a_hundred_at_once_one_is_queued_and_all_get_its_number() {
    let bench = Bench::new();
    let apis = [Bench::serve(bench.app()).await, Bench::serve(bench.app()).await];
    let requests = (0..100).map(|number: usize| tokio::spawn(create(apis[number % 2], "k", GREET)));
    let mut fresh = 0;
    for request in requests.collect::<Vec<_>>() {
        let reply = request.await.unwrap();
        assert_eq!((reply.status.as_u16(), &reply.json()["id"]), (201, &json!(1)), "{}", reply.body);
        fresh += usize::from(reply.header("idempotency-replayed").is_none());
    }
    assert_eq!((fresh, queued(&bench)), (1, 1));
}

#[tokio::test]
async fn malformed_keys_are_400() {
    let bench = Bench::new();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    let long = format!("Idempotency-Key: {}\r\n", "x".repeat(256));
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: a\r\n";
    for headers in ["Idempotency-Key: \r\n", "Idempotency-Key: a\tb\r\n", twice, &long] {
        let reply = post(&mut client, "/api/jobs", headers, GREET).await;
        assert_eq!(reply.status, 400, "{headers:?}: {}", reply.body);
    }
    assert_eq!(queued(&bench), 0);
}

#[tokio::test]
async fn without_a_state_directory_only_keys_are_refused() {
    let bench = Bench::new();
    crate::spool::atomic::create_file(bench.state_directory().path(), b"", 0o600).unwrap();
    let address = Bench::serve(bench.app()).await;
    let reply = create(address, "k", GREET).await;
    assert_eq!(reply.status, 503);
    let message = reply.json()["detail"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains(bench.state_directory().path().to_str().unwrap()) && message.contains("check"),
        "{message}"
    );
    assert_eq!(post(&mut Client::connect(address).await, "/api/jobs", "", GREET).await.status, 201);
    assert_eq!(queued(&bench), 1);
}

#[tokio::test]
async fn submissions_that_hang_hold_up_no_reader_and_no_letter() {
    let bench = Bench::new();
    bench.queue(&crate::api::testing::request(1));
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    let address = Bench::serve(app).await;
    let sequence = std::fs::File::open(bench.spool.sequence()).unwrap();
    sequence.lock_exclusive().unwrap();
    let mut stuck = Vec::new();
    for _ in 0..200 {
        let mut client = Client::connect(address).await;
        let head = format!("POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", GREET.len());
        assert!(client.write(head + GREET).await);
        stuck.push(client);
    }
    let mut client = Client::connect(address).await;
    for path in ["/api/jobs", "/healthz", "/api/jobs/1"] {
        assert_eq!(client.ask(&format!("GET {path}")).await.status, 200);
    }
    client.write("GET /api/jobs/1/log HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    client.read_until("waitingForLogfile").await;
    let reply = post(&mut Client::connect(address).await, "/api/jobs/1/signal/kill", "", "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(inbox::list(&bench.spool).unwrap().0.len(), 1);
    assert_eq!(queued(&bench), 1, "the lock was held all the time");
    drop(sequence);
    let mut accepted = 0;
    for mut client in stuck {
        let reply = client.reply(true).await;
        assert!([201, 503].contains(&reply.status.as_u16()), "{}", reply.body);
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 503);
        accepted += usize::from(reply.status == 201);
    }
    assert_eq!(queued(&bench), 1 + accepted);
}
