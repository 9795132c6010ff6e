use std::net::SocketAddr;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::api::testing;
use crate::api::testing::{Client, Log, soon};
use crate::http::response;
use crate::http::server::MAX_HEAD;

/// The real table's routes are too well-behaved for what is tested here.
static TEST_ROUTES: &[Route] = table::routes! {
    GET "/healthz", Open => crate::api::handlers::health::healthz, "";
    GET "/api/whoami", Open => crate::api::handlers::whoami::whoami, "";
    GET "/jobs/{id:number}", Open => number, "";
    POST "/text", Open => text, "";
    GET "/panic", Open => panics, "";
    GET "/stream", Open => stream, "";
    POST "/mutation", Open => mutation, "";
    GET "/big", Open => big, "";
};

async fn number(_: Arc<App>, request: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &request.path.number("id")?)
}

async fn text(_: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &request.text().await?)
}

async fn panics(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    panic!("as asked");
}

/// A stream that says one line and then nothing, for ever.
async fn stream(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    Ok(response::produce("application/octet-stream", app.stream(&request.identity)?, |mut pieces| async move {
        let _closed = Closed;
        pieces.send(Bytes::from_static(b"hello\n")).await;
        std::future::pending().await
    }))
}

struct Closed;

impl Drop for Closed {
    fn drop(&mut self) {
        STREAM_CLOSED.add_permits(1);
    }
}

/// More than any socket holds.
async fn big(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &"x".repeat(64 << 20))
}

static STREAM_CLOSED: Semaphore = Semaphore::const_new(0);
static MUTATION_BEGUN: Semaphore = Semaphore::const_new(0);
static MUTATION_MAY_END: Semaphore = Semaphore::const_new(0);
static MUTATION_ENDED: Semaphore = Semaphore::const_new(0);

/// A mutation that is half done until the test lets it end.
async fn mutation(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    MUTATION_BEGUN.add_permits(1);
    soon(MUTATION_MAY_END.acquire()).await.unwrap().forget();
    MUTATION_ENDED.add_permits(1);
    response::json(StatusCode::OK, &"done")
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

async fn start_with(limits: Limits) -> Running {
    let app = testing::app();
    let (listener, address) = testing::listener().await;
    let shutdown = app.shutdown.clone();
    let server = tokio::spawn(serve_routes(vec![listener], Arc::new(app), limits, TEST_ROUTES));
    Running { address, shutdown, server }
}

async fn start() -> Running {
    start_with(testing::server_limits()).await
}

async fn connect() -> Client {
    Client::connect(start().await.address).await
}

#[tokio::test]
async fn the_two_first_routes_answer() {
    let mut client = connect().await;
    let reply = client.ask("GET /healthz").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json()["paused"], json!(null));

    let expected = json!({
        "user": "tester", "fully_authenticated": true, "groups": [],
        "isAuthorized": true, "isAdmin": true, "otpHost": null, "mode": "none", "mayStart": true, "secondFactor": "off",
    });
    let mut who = client.ask("GET /api/whoami").await.json();
    let job_types = who.as_object_mut().unwrap().remove("jobTypes").unwrap();
    assert_eq!(job_types["greet"], json!({ "groups": [], "mayAnswer": true }));
    assert_eq!(who, expected);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let mut client = connect().await;
    let length = client.ask("GET /api/whoami").await.body.len().to_string();
    let reply = client.ask("HEAD /api/whoami").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some(&*length)));
    assert_eq!(client.ask("GET /api/whoami").await.status, 200, "the connection is still in step");
}

#[tokio::test]
async fn every_response_has_a_request_id_of_its_own() {
    let mut client = connect().await;
    let mut seen = std::collections::HashSet::new();
    for request_line in ["GET /healthz", "GET /healthz", "GET /nothing", "PUT /healthz", "GET /jobs/x", "GET /panic"] {
        let reply = client.ask(request_line).await;
        let id: Uuid = reply.header("x-request-id").unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert!(seen.insert(id));
    }
    let reply = client.ask_with("GET /healthz", "Host: evil.example\r\n", "").await;
    assert_eq!(reply.status, 421);
    assert!(reply.header("x-request-id").is_some());
}

#[tokio::test]
async fn what_is_refused_has_the_agreed_shape() {
    let mut client = connect().await;
    let reply = client.ask("GET /healthz/").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json(), json!({"detail": "Not Found"}));

    let reply = client.ask("OPTIONS /healthz").await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(reply.json(), json!({"detail": "Method Not Allowed"}));

    let reply = client.ask("GET /jobs/0").await;
    assert_eq!(reply.status, 422);
    let problem = &reply.json()["detail"][0];
    assert_eq!((&problem["loc"], &problem["input"]), (&json!(["path", "id"]), &json!("0")));

    let headers = "Host: localhost\r\nOrigin: https://evil.example\r\n";
    let reply = client.ask_with("POST /text", headers, "").await;
    assert_eq!(reply.status, 403);
    assert!(reply.json()["detail"]["message"].is_string());
}

#[tokio::test]
async fn a_handler_that_panics_fails_alone_and_names_the_request() {
    let mut client = connect().await;
    let reply = client.ask("GET /panic").await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.json()["detail"]["request_id"], reply.header("x-request-id").unwrap());
    assert!(!reply.body.contains("as asked"));
    assert_eq!(client.ask("GET /healthz").await.status, 200);
}

#[tokio::test]
async fn a_body_is_text_or_a_json_string() {
    let mut client = connect().await;
    let text = "Host: localhost\r\n";
    assert_eq!(client.ask_with("POST /text", text, "\"yes\"\n").await.json(), "\"yes\"\n");
    assert_eq!(client.ask_with("POST /text", text, "").await.json(), "");
    let json = "Host: localhost\r\nContent-Type: application/json\r\n";
    assert_eq!(client.ask_with("POST /text", json, "\"yes\\n\"").await.json(), "yes\n");
    assert_eq!(client.ask_with("POST /text", json, "yes").await.status, 422);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut client = connect().await;
    let requests = (1..=50).map(|id| format!("GET /jobs/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.write(requests.collect::<Vec<_>>().concat()).await;
    for id in 1..=50 {
        assert_eq!(client.reply(true).await.json(), id);
    }
}

#[tokio::test]
async fn a_head_too_large_or_malformed_is_refused_by_hyper() {
    let running = start().await;
    let mut client = Client::connect(running.address).await;
    client.write(format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(MAX_HEAD))).await;
    assert!(client.read_to_end().await.starts_with("HTTP/1.1 431 "));
    let mut client = Client::connect(running.address).await;
    client.write("hello\r\n\r\n").await;
    assert!(client.read_to_end().await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let mut limits = testing::server_limits();
    limits.head_read = Duration::from_millis(50);
    let running = start_with(limits).await;
    let mut client = Client::connect(running.address).await;
    client.write("GET /healthz HTTP/1.1\r\nHost: loc").await;
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time_and_not_by_the_limit_for_heads() {
    let mut limits = testing::server_limits();
    limits.idle = Duration::from_millis(50);
    let mut client = Client::connect(start_with(limits).await.address).await;
    client.ask("GET /healthz").await;
    assert_eq!(client.read_to_end().await, "");

    let mut limits = testing::server_limits();
    limits.idle = 2 * testing::DEADLINE;
    limits.head_read = Duration::from_millis(50);
    let mut client = Client::connect(start_with(limits).await.address).await;
    client.ask("GET /healthz").await;
    client.write("GET /healthz HT").await;
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_not_kept() {
    let log = Log::of_all_tests();
    let mut limits = testing::server_limits();
    limits.response = Duration::from_millis(50);
    let address = start_with(limits).await.address;
    let mut client = Client::connect(address).await;
    client.write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let line = log.wait_for_line(&["path=\"/big\"", "ended="]).await;
    assert!(line.contains("status=200") && line.contains("ended=\"timed out\""), "{line}");
    assert!(client.read_to_end().await.len() < 64 << 20, "it was cut off");

    let mut streaming = Client::connect(address).await;
    streaming.write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    streaming.read_until("6\r\nhello\n\r\n").await;
    let more = tokio::time::timeout(Duration::from_millis(200), streaming.read_until("0\r\n")).await;
    assert!(more.is_err(), "a stream has no such limit");
}

#[tokio::test]
async fn half_a_body_is_not_waited_for() {
    let mut limits = testing::server_limits();
    limits.body_read = Duration::from_millis(50);
    let running = start_with(limits).await;
    let mut client = Client::connect(running.address).await;
    client.write("POST /text HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf").await;
    let reply = client.reply(true).await;
    assert_eq!(reply.status, 408);
    assert!(reply.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_body_too_large_is_read_out_and_answered_413() {
    let mut client = connect().await;
    let body = "x".repeat(crate::http::body::MAX_REQUEST_BODY + 1);
    let reply = client.ask_with("POST /text", "Host: localhost\r\n", &body).await;
    assert_eq!(reply.status, 413);
    assert!(reply.json()["detail"]["message"].is_string());
    assert_eq!(client.ask("GET /healthz").await.status, 200, "the connection is still in step");
}

#[tokio::test]
async fn an_endless_body_is_refused() {
    let mut client = connect().await;
    client.write("POST /text HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    while client.write(&chunk).await {}
}

#[tokio::test]
async fn a_client_that_leaves_does_not_undo_a_mutation() {
    let log = Log::of_all_tests();
    let mut client = connect().await;
    client.write("POST /mutation HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await;
    soon(MUTATION_BEGUN.acquire()).await.unwrap().forget();
    client.finish_writing().await;
    assert_eq!(client.read_to_end().await, "", "the server noticed and closed the connection");
    log.line_with(&["ended=\"client went away\"", "path=\"/mutation\""]);
    MUTATION_MAY_END.add_permits(1);
    soon(MUTATION_ENDED.acquire()).await.unwrap().forget();
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_and_the_cause_of_a_failure() {
    let log = Log::of_all_tests();
    let reply = connect().await.ask("GET /panic?secret=1").await;
    let id = reply.header("x-request-id").unwrap();

    assert!(log.line_with(&[id, "request failed"]).contains("as asked"));
    let line = log.wait_for_line(&[id, "access: request"]).await;
    for part in [
        "user=\"tester\"",
        "address=127.0.0.1",
        "method=GET",
        "path=\"/panic\"",
        "route=\"/panic\"",
        "status=500",
        &format!("bytes={}", reply.body.len()),
        "duration_ms=",
        "ended=\"complete\"",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn a_shutdown_ends_streams_and_idle_connections() {
    let mut limits = testing::server_limits();
    limits.drain = 2 * testing::DEADLINE; // so that nothing ends because of it
    let running = start_with(limits).await;
    let mut idle = Client::connect(running.address).await;
    idle.ask("GET /healthz").await;
    let mut streaming = Client::connect(running.address).await;
    streaming.write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    streaming.read_until("6\r\nhello\n\r\n").await;

    running.shutdown.cancel();
    assert_eq!(streaming.read_to_end().await, "0\r\n\r\n", "the stream is ended, not cut");
    soon(STREAM_CLOSED.acquire()).await.unwrap().forget();
    assert_eq!(idle.read_to_end().await, "");
    soon(running.server).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_half_a_head() {
    let mut limits = testing::server_limits();
    limits.drain = 2 * testing::DEADLINE; // so that nothing ends because of it
    let running = start_with(limits).await;
    let mut half = Client::connect(running.address).await;
    half.ask("GET /healthz").await;
    half.write("GET /healthz HT").await;
    running.shutdown.cancel();
    soon(running.server).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_lets_an_open_request_finish() {
    let mut limits = testing::server_limits();
    limits.drain = 2 * testing::DEADLINE;
    let running = start_with(limits).await;
    let mut client = Client::connect(running.address).await;
    client.write("POST /text HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
    client.read_until("100 Continue\r\n\r\n").await;
    running.shutdown.cancel();
    client.write("yes").await;
    assert_eq!(client.reply(true).await.json(), "yes");
    assert_eq!(client.read_to_end().await, "");
    soon(running.server).await.unwrap();
}
