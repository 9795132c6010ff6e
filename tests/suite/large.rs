//! Jobs that are large, and people who do not read what they have asked for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::client::start;
use crate::server::connect;
use crate::support::{TestSpool, resident_megabytes, wait_until};

#[test]
fn large_jobs_and_clients_that_do_not_read_take_little_memory() {
    const JOBS: u64 = 30;
    let spool = TestSpool::new();
    // It lays the spool out, and takes nothing.
    spool.runner().terminate();
    let api = start(&spool);
    let text = "x".repeat(900_000);
    for _ in 0..JOBS {
        spool.submit("sh", json!({ "script": text }));
    }
    wait_until("the API knows all jobs", || api.get("/api/jobs?limit=1").1["total"] == JOBS);
    let ask = |path: &str| {
        let mut stream = connect(&api);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        stream
    };
    let paths = ["/api/jobs?limit=500", "/api/events", "/api/jobs?limit=500&state=queued"];
    let mut streams: Vec<TcpStream> = (0..30).map(|n| ask(paths[n % paths.len()])).collect();
    // By then it is made.
    for stream in &mut streams {
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    let of_one: Vec<TcpStream> = (0..30).map(|_| ask("/api/jobs/1")).collect();
    (&of_one[0]).read_exact(&mut [0; 12]).unwrap();
    let megabytes = resident_megabytes(api.daemon.pid());
    assert!(megabytes < 150, "{megabytes} MB");
    drop((streams, of_one));

    let (code, listed) = api.get("/api/jobs?limit=500");
    assert_eq!((code, listed["jobs"].as_array().unwrap().len() as u64), (200, JOBS));
    let first = &listed["jobs"][0];
    assert!(first["truncated"] == true && first["params"]["script"].as_str().unwrap().len() < 2000, "{first:.200}");
    let mut whole = None;
    wait_until("all of one is had", || {
        let (code, one) = api.get("/api/jobs/1");
        whole = (code == 200).then_some(one);
        whole.is_some()
    });
    let whole = whole.unwrap();
    assert!(whole["job"]["params"]["script"] == text && whole["job"].get("truncated").is_none());
}
