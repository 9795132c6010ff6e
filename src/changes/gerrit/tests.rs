//! A Gerrit that hangs holds up who asks it, and nobody else. What it answers is looked at in `tests/suite/gerrit.rs`.

use std::net::SocketAddr;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::Gerrit;
use crate::api::app::App;
use crate::api::testing::{Bench, Client, DEADLINE, config, soon};
use crate::config::Config;

/// A Gerrit that accepts connections and answers nothing.
struct Hanging {
    listener: TcpListener,
}

impl Hanging {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// Serves an app that has this Gerrit, for which it would wait longer than the test does.
    async fn serve_app(&self, bench: &Bench) -> SocketAddr {
        let text = format!("gerrit.url = 'http://{}/r/'", self.listener.local_addr().unwrap());
        let gerrit = Config::parse("test.toml".as_ref(), &text).unwrap().gerrit;
        let app = App { gerrit: Gerrit::of(&gerrit, 2 * DEADLINE), config: config(), ..bench.app() };
        Bench::serve(app).await
    }

    async fn accept(&self) -> TcpStream {
        soon(self.listener.accept()).await.unwrap().0
    }
}

#[tokio::test]
async fn whoever_does_not_ask_gerrit_does_not_wait_for_it() {
    let bench = Bench::new();
    let hanging = Hanging::start().await;
    let address = hanging.serve_app(&bench).await;
    let mut waiting = Client::connect(address).await;
    waiting.write("GET /api/preflight?change=7 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let held = hanging.accept().await;

    let mut client = Client::connect(address).await;
    for quick in ["/healthz", "/api/whoami", "/api/jobs", "/api/runner", "/api/job-types"] {
        assert_eq!(client.ask(&format!("GET {quick}")).await.status, 200, "{quick}");
    }
    let greet = json!({ "type": "greet", "params": { "name": "World" } }).to_string();
    assert_eq!(client.ask_with("POST /api/jobs", "Host: localhost\r\n", &greet).await.status, 201);
    let backport = json!({ "type": "backport", "params": { "change_url": ["7"] } }).to_string();
    let dry = client.ask_with("POST /api/jobs?dry_run=1", "Host: localhost\r\n", &backport).await;
    assert_eq!(dry.status, 200, "a dry run asks nobody");

    drop((held, hanging));
    let reply = waiting.reply(true).await.json();
    assert!(reply["problem"].as_str().unwrap().starts_with("Gerrit at http://127.0.0.1:"), "{reply}");
}

#[tokio::test]
async fn starts_that_wait_for_gerrit_do_not_hold_up_others() {
    let bench = Bench::new();
    let hanging = Hanging::start().await;
    let address = hanging.serve_app(&bench).await;
    let mut waiting = Client::connect(address).await;
    waiting
        .write("POST /api/jobs/backport?change_url=7 HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n")
        .await;
    let held = hanging.accept().await;

    let mut client = Client::connect(address).await;
    let greet = json!({ "type": "greet", "params": { "name": "World" } }).to_string();
    let headers = "Host: localhost\r\nIdempotency-Key: k\r\n";
    let reply = client.ask_with("POST /api/jobs", headers, &greet).await;
    assert_eq!(reply.status, 201, "nothing is locked meanwhile, not even the key");

    drop((held, hanging));
    let reply = waiting.reply(true).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["detail"]["anyway"]), (502, &json!(true)));
}
