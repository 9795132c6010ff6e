//! What is not quite HTTP, and what is but seldom seen.

use super::{GOOD, exchange, spool_with};
use crate::client::start;

/// Name, request, statuses. Each request is followed by a good one, which is answered only if the connection is still in
/// step.
const CASES: &[(&str, &str, &[u16])] = &[
    ("a good request", GOOD, &[200, 200]),
    ("a lower case method", "get /api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405, 200]),
    ("another method", "BREW /api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405, 200]),
    ("TRACE", "TRACE /api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405, 200]),
    ("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404, 200]),
    ("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404, 200]),
    (
        "an upgrade",
        "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        &[200, 200],
    ),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[]),
    ("HTTP/1.0", "GET /api/whoami HTTP/1.0\r\nHost: localhost\r\n\r\n", &[200]),
    ("HTTP/1.0 without Host", "GET /api/whoami HTTP/1.0\r\n\r\n", &[400]),
    ("HTTP/0.9", "GET /api/whoami\r\n\r\n", &[400]),
    ("HTTP/1.2", "GET /api/whoami HTTP/1.2\r\nHost: localhost\r\n\r\n", &[400]),
    ("no Host", "GET /api/whoami HTTP/1.1\r\n\r\n", &[400, 200]),
    ("two Hosts", "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", &[400, 200]),
    ("another Host", "GET /api/whoami HTTP/1.1\r\nHost: evil.example\r\n\r\n", &[421, 200]),
    ("a target with a host", "GET http://localhost/api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[200, 200]),
    ("a target with another host", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", &[421, 200]),
    ("a folded field", "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", &[400]),
    ("a space before the colon", "GET /api/whoami HTTP/1.1\r\nHost : localhost\r\n\r\n", &[400]),
    ("a field without a name", "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n", &[400]),
    ("NUL in a field", "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n", &[400]),
    ("NUL in the target", "GET /api\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
    ("a space in the target", "GET /api whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
    ("bare line feeds", "GET /api/whoami HTTP/1.1\nHost: localhost\n\n", &[200, 200]),
    ("a bare carriage return", "GET /api/whoami HTTP/1.1\rHost: localhost\r\r", &[400]),
    ("empty lines before", "\r\n\r\nGET /api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", &[200, 200]),
    (
        "two lengths",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        &[400],
    ),
    (
        "a length twice",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        &[422, 200],
    ),
    ("a length with a sign", "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}", &[400]),
    ("a negative length", "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", &[400]),
    (
        "a length beyond all",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        &[400],
    ),
    // The length is ignored, as it must be, and the connection closed, so that nobody can be of two minds.
    (
        "length and chunks",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &[422],
    ),
    (
        "chunks and length",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &[422],
    ),
    (
        "chunks in HTTP/1.0",
        "POST /api/jobs HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "another encoding",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "chunked, but not last",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "chunks",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &[422, 200],
    ),
    (
        "a chunk without a length",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &[400],
    ),
    (
        "a page elsewhere",
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nContent-Length: 2\r\n\r\n{}",
        &[403, 200],
    ),
];

#[test]
fn every_oddity_of_http_has_one_answer() {
    let spool = spool_with("");
    let api = start(&spool);
    let many_fields = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(200));
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let long: [(&str, &str, &[u16]); 2] =
        [("too many fields", &many_fields, &[431]), ("a target too long", &long_target, &[431])];
    let mut wrong = Vec::new();
    for (name, bytes, expected) in CASES.iter().chain(&long) {
        let answered = exchange(&api, bytes.as_bytes());
        if answered != *expected {
            wrong.push(format!("{name}: {answered:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let told = api.daemon.log();
    assert!(told.contains("refused a malformed request") && told.contains("peer=127.0.0.1"), "{told}");
}
