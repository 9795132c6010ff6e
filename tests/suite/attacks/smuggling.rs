//! Requests hidden in other requests: whatever two programs might take for the end of one, we take it for one of ours
//! only if nobody can doubt it. `server/oddities.rs` has what each oddity is answered with.

use super::{Stage, send, sign_in, who};
use crate::support::wait_until;

/// Request heads with something wrong, and the body behind them, which has a request in it where `{}` is. None of these is
/// answered: who thinks that the body ends earlier is wrong.
const HIDDEN: &[(&str, &str)] = &[
    ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\n{}"),
    ("Content-Length: 0\r\nContent-Length: 200\r\n", "{}"),
    ("Content-Length: 200\r\nContent-Length: 0\r\n", "{}"),
    ("Content-Length: 0, 200\r\n", "{}"),
    ("Content-Length: 0,0\r\nContent-Length: 200\r\n", "{}"),
    ("Content-Length: 0x0\r\n", "{}"),
    ("Content-Length: +0\r\n", "{}"),
    ("Content-Length: -0\r\n", "{}"),
    ("Content-Length: 0 0\r\n", "{}"),
    ("Content-Length:\r\n", "{}"),
    ("Content-Length: 18446744073709551616\r\n", "{}"),
    ("Content-Length : 0\r\n", "{}"),
    (" Content-Length: 0\r\n", "{}"),
    ("Content-Length\r\n", "{}"),
    ("Content\0-Length: 0\r\n", "{}"),
    ("Content-Length: 0\0\r\n", "{}"),
    ("Content-Length: 0\rX: y\r\n", "{}"),
    ("X: y\r\n Content-Length: 0\r\n", "{}"),
    ("X: y\r\n\tTransfer-Encoding: chunked\r\n", "{}"),
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding:\n chunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "-0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "fffffffffffffffffffff0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "\r\n0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "2;x\n{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "2;\"\r\n0\r\n\r\n{}\"\r\n"),
    ("Transfer-Encoding: chunked\r\n", "1\r\nxx0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "2\r\nxx{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "0\r\nX: y\r\n {}"),
];

/// All of these are answered, and what comes behind them too: the end is where everybody sees it.
const PLAIN: &[(&str, &str)] = &[
    ("Content-Length: 0\r\n", "{}"),
    ("", "{}"),
    ("Content-Length: 2\r\nContent-Length: 2\r\n", "xx{}"),
    ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n{}"),
    ("Transfer-Encoding: Chunked\r\n", "2\r\nxx\r\n0\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "2;x=y;z=\"a;b\"\r\nxx\r\n0;x\r\n\r\n{}"),
    ("Transfer-Encoding: chunked\r\n", "000000002\r\nxx\r\n0\r\nHost: evil.example\r\nCookie: session=x\r\n\r\n{}"),
];

/// Sends a request with another one in its body. Returns whether the other one was answered too: whatever is taken for a
/// request is answered, in order, before the connection is closed.
fn is_smuggled(stage: &Stage, head: &str, body: &str) -> bool {
    let hidden = "GET /api/canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let request = format!("POST /api/jobs/1/signal/kill HTTP/1.1\r\nHost: localhost\r\n{head}\r\n");
    send(&stage.api, (request + &body.replace("{}", hidden)).as_bytes()).contains("{\"detail\":\"Not Found\"}")
}

#[test]
fn no_request_hides_in_another_one() {
    let stage = Stage::open();
    for (head, body) in HIDDEN {
        assert!(!is_smuggled(&stage, head, body), "{head:?} {body:?}");
    }
    for (head, body) in PLAIN {
        assert!(is_smuggled(&stage, head, body), "{head:?} {body:?}");
    }
    // Nor was one done of which nobody was told. The lines of those that were come last.
    let taken = || stage.api.daemon.log().matches("path=\"/api/canary\"").count();
    wait_until("they are logged", || taken() >= PLAIN.len());
    assert_eq!(taken(), PLAIN.len());
}

#[test]
fn what_comes_behind_a_refused_request_has_nothing_of_it() {
    let stage = Stage::local();
    let session = sign_in(&stage.api, "ada");
    // Who comes next on a connection of a proxy is somebody else.
    for first in [
        format!("GET /api/users HTTP/1.1\r\nHost: localhost\r\n{session}\r\n"),
        format!("POST /api/logout HTTP/1.1\r\nHost: evil.example\r\n{session}Content-Length: 2\r\n\r\n{{}}"),
        format!("POST /api/runner/pause HTTP/1.1\r\nHost: localhost\r\n{session}Content-Length: 2\r\n\r\n{{}}"),
    ] {
        let next = "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let replies = send(&stage.api, format!("{first}{next}").as_bytes());
        assert!(replies.contains("{\"user\":null"), "{replies}");
        assert_eq!(crate::server::statuses(&replies).len(), 2, "{replies}");
    }
    assert_eq!(who(&stage.api, &session), "ada");
}

#[test]
fn fields_that_come_twice_help_nobody() {
    let stage = Stage::local();
    let (ada, mallory) = (sign_in(&stage.api, "ada"), sign_in(&stage.api, "mallory"));
    let value = |field: &str| field.trim().strip_prefix("Cookie: ").unwrap().to_owned();
    let whose = |fields: &str| {
        let head = format!("GET /api/whoami HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
        super::Reply::parse(&send(&stage.api, head.as_bytes()))
    };
    let host = "Host: localhost\r\n";
    for hosts in [
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: evil.example\r\nhOST: localhost\r\n",
    ] {
        let reply = whose(&format!("{hosts}{ada}"));
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    // Browsers have one session here. Of two the first counts, however they are sent.
    for fields in [format!("{ada}{mallory}"), format!("Cookie: {}; {}\r\n", value(&ada), value(&mallory))] {
        assert_eq!(whose(&format!("{host}{fields}")).json()["user"], "ada");
    }
    for fields in [
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n",
        "X-Forwarded-Host: evil.example\r\n",
        "X-Original-URL: /api/users\r\nX-Rewrite-URL: /api/users\r\n",
        "X-HTTP-Method-Override: POST\r\n",
    ] {
        let reply = whose(&format!("{host}{fields}"));
        assert_eq!((reply.status, reply.json()["user"].is_null()), (200, true));
        assert!(!reply.body.contains("evil"));
    }
    let lines = stage.api.daemon.log();
    assert!(!lines.contains("192.0.2."), "nobody is believed where they are");
}
