//! A running API, and a client of it.

use std::io::{BufRead, BufReader};
use std::process::Command;

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Body, BodyReader};

use crate::support::{Daemon, TestSpool, wait_for, wait_until};

/// A running API and its address.
pub struct Api {
    pub daemon: Daemon,
    pub base: String,
}

/// Starts an API on any free port.
pub fn start(spool: &TestSpool) -> Api {
    start_at(spool, "127.0.0.1:0")
}

/// Starts an API at an address.
pub fn start_at(spool: &TestSpool, listen: &str) -> Api {
    start_as(spool, spool.command("spiderpig-api").args(["--listen", listen]))
}

/// Starts an API from a prepared command.
pub fn start_as(spool: &TestSpool, command: &mut Command) -> Api {
    let daemon = spool.daemon(command, "api.log");
    let base = wait_for("the API listens", || {
        let log = daemon.log();
        let address = log.split("listening on ").nth(1)?;
        Some(address.split(['"', ' ', '\n']).next()?.to_owned())
    });
    Api { daemon, base }
}

impl Api {
    /// A client for which no status is an error.
    pub fn agent() -> ureq::Agent {
        ureq::Agent::config_builder().http_status_as_error(false).build().into()
    }

    /// Asks; the status, and the JSON of the answer.
    pub fn get(&self, path: &str) -> (u16, Value) {
        read(Self::agent().get(format!("{}{path}", self.base)).call().unwrap())
    }

    /// Sends a text; the status, and the JSON of the answer.
    pub fn post(&self, path: &str, body: &str) -> (u16, Value) {
        read(Self::agent().post(format!("{}{path}", self.base)).send(body).unwrap())
    }

    /// Sends a text with an idempotency key. `None` if the connection broke off.
    pub fn post_once(&self, path: &str, key: &str, body: &str) -> Option<(u16, Value)> {
        let request = Self::agent().post(format!("{}{path}", self.base)).header("Idempotency-Key", key);
        request.send(body).ok().map(read)
    }

    /// Starts a shell script. Returns the job's number.
    pub fn create(&self, script: &str) -> u64 {
        let body = json!({ "type": "sh", "params": { "script": script } });
        let (code, created) = self.post("/api/jobs", &body.to_string());
        assert_eq!(code, 201, "{created}");
        created["id"].as_u64().unwrap()
    }

    /// Opens a log stream.
    pub fn follow(&self, id: u64, resume: u64) -> BufReader<BodyReader<'static>> {
        let url = format!("{}/api/jobs/{id}/log?resume_record={resume}", self.base);
        BufReader::new(Self::agent().get(url).call().unwrap().into_body().into_reader())
    }

    /// Reads a log from a record to its end.
    pub fn log(&self, id: u64, resume: u64) -> Vec<Value> {
        read_stream(self.follow(id, resume))
    }

    /// Follows a log until it has a line.
    pub fn log_has(&self, id: u64, line: &str) -> bool {
        let line = format!("\"line\":\"{line}\"");
        self.follow(id, 0).lines().map_while(Result::ok).any(|record| record.contains(&line))
    }

    /// Waits until a prompt of a job is open.
    pub fn wait_prompt(&self, id: u64, number: u64) {
        let expected = json!(id * 1_000_000 + number);
        wait_until(&format!("prompt {number} is open"), || {
            self.get(&format!("/api/jobs/{id}")).1["pending_interaction"]["id"] == expected
        });
    }

    /// Answers a prompt of a job.
    pub fn answer(&self, id: u64, number: u64, answer: &str) -> (u16, Value) {
        self.post(&format!("/api/jobs/{id}/interact/{}", id * 1_000_000 + number), answer)
    }
}

fn read(mut response: Response<Body>) -> (u16, Value) {
    let code = response.status().as_u16();
    (code, serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap())
}

/// Reads a log stream to its end, however it ends. Returns its records.
pub fn read_stream(stream: impl BufRead) -> Vec<Value> {
    stream.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect()
}
