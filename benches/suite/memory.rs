//! Measures how much memory the API needs for strangers, and for people who do not read the answers to their requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;
use spiderpig::spool::lock::RunnerLock;
use spiderpig::spool::queue::{self, NewJob};
use spiderpig::spool::{Spool, sequence};

use super::Result;
use super::http::Client;
use super::idle::resident_megabytes;
use super::stage::{Stage, wait_for};
use super::table::Row;

const PASSWORDS: usize = 1000;
const ADDRESSES: usize = 100;
const PASSWORDS_MEGABYTES: u32 = 80;

const JOBS: usize = 100;
/// The size of a job's parameters in bytes. The file of a job has at most 1 MiB.
const PARAMETERS: usize = 1_000_000;
const CLIENTS: usize = 40;
const JOBS_MEGABYTES: u32 = 150;

/// Measures after wrong passwords, and with large jobs for clients that do not read.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    Ok(vec![wrong_passwords(root)?, large_jobs(root)?])
}

fn wrong_passwords(root: &Path) -> Result<Row> {
    let mut stage = Stage::without_runner(root)?.behind_a_proxy()?.with_users("")?;
    Spool::lay_out(&stage.root())?;
    let (pid, port) = stage.start_api()?;
    let guess = |n: usize| -> std::io::Result<String> {
        let body = json!({ "user": format!("user{n}"), "password": "not this one either" }).to_string();
        let fields = format!("X-Forwarded-For: 198.51.100.{}\r\nContent-Length: {}\r\n", n % ADDRESSES, body.len());
        let mut stream = ask(port, "POST /api/login", &format!("Connection: close\r\n{fields}"), &body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let guess = &guess;
    let answers: Vec<String> = std::thread::scope(|scope| {
        let of = |address: usize| (address..PASSWORDS).step_by(ADDRESSES).map(guess).collect();
        let threads: Vec<_> = (0..ADDRESSES).map(|address| scope.spawn(move || of(address))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, std::io::Result<Vec<String>>>| {
            thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")))
        };
        threads.into_iter().map(join).collect::<std::io::Result<Vec<_>>>().map(|answers| answers.concat())
    })?;
    if let Some(answer) = answers.iter().find(|answer| !answer.starts_with("HTTP/1.1 401")) {
        return Err(format!("a wrong password is answered: {answer}").into());
    }
    row(
        format!("memory of the API after {PASSWORDS} wrong passwords from {ADDRESSES} addresses"),
        pid,
        PASSWORDS_MEGABYTES,
    )
}

fn large_jobs(root: &Path) -> Result<Row> {
    let mut stage = Stage::without_runner(root)?;
    let spool = Spool::lay_out(&stage.root())?;
    sequence::repair(&spool, &RunnerLock::take(&spool)?, 0, 0)?;
    let (pid, port) = stage.start_api()?;
    for _ in 0..JOBS {
        let params = json!({ "text": "x".repeat(PARAMETERS) }).as_object().cloned().unwrap_or_default();
        queue::submit(&spool, NewJob { job_type: "noop".into(), user: "bench".into(), params, ..NewJob::default() })?;
    }
    let mut client = Client::connect(port)?;
    let all = format!("\"total\":{JOBS}");
    wait_for("the API knows all jobs", || Ok(client.get("/api/jobs?limit=1")?.contains(&all).then_some(())))?;
    let paths = ["/api/jobs?limit=500", "/api/events", "/api/jobs/1", "/api/jobs?limit=500&state=queued"];
    let streams: Vec<TcpStream> = (0..CLIENTS)
        .map(|n| ask(port, &format!("GET {}", paths[n % paths.len()]), "", ""))
        .collect::<std::io::Result<_>>()?;
    // Skips the answers with one large job: they come by turns, and earlier clients do not give their turns up.
    for (_, mut stream) in streams.iter().enumerate().filter(|(n, _)| n % paths.len() != 2) {
        stream.read_exact(&mut [0; 12])?;
    }
    let row = row(
        format!("memory of the API, {JOBS} jobs of 1 MB and {CLIENTS} clients that do not read"),
        pid,
        JOBS_MEGABYTES,
    );
    drop(streams);
    row
}

fn ask(port: u16, line: &str, fields: &str, body: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n{body}").as_bytes())?;
    Ok(stream)
}

fn row(what: String, pid: u32, most: u32) -> Result<Row> {
    let megabytes = resident_megabytes(pid)?;
    Ok(Row::new(what, format!("{megabytes:.1} MB")).goal(format!("{most} MB"), megabytes <= f64::from(most)))
}
