//! Too much, too deep, too slow, and too many at once. `server.rs` has endless heads and bodies, and the connection that is
//! one too many.

use std::io::Write as _;
use std::net::TcpStream;

use spiderpig::api::table::ROUTES;
use spiderpig::http::describe::ArgumentKind;

use super::{PASSWORD, Stage, at_once, code, get, post, send, sign_in, try_password, who};
use crate::server::connect;

/// The service is as well as it was.
#[track_caller]
fn assert_well(stage: &Stage) {
    assert_eq!(get(&stage.api, "/healthz", "").status, 200);
    let log = stage.api.daemon.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let stage = Stage::local();
    let session = sign_in(&stage.api, "alice");
    let long = "x".repeat(64 << 10);
    for (what, fields) in [
        ("a cookie", format!("Cookie: session={long}\r\n")),
        ("10,000 cookies", format!("Cookie: {}\r\n", "a=b; ".repeat(10_000))),
        ("a bearer", format!("Authorization: Bearer {long}\r\n")),
        ("a key", format!("Idempotency-Key: {long}\r\n")),
        ("a field", format!("X: {long}\r\n")),
        ("a name", format!("{long}: x\r\n")),
        ("a user agent", format!("User-Agent: {long}\r\n")),
        ("many fields", "X: y\r\n".repeat(10_000)),
        ("more than a hundred fields", "X: y\r\n".repeat(101)),
    ] {
        assert_eq!(get(&stage.api, "/api/whoami", &fields).status, 431, "{what}");
    }
    assert_eq!(get(&stage.api, &format!("/api/jobs?q={long}"), &session).status, 431);
    // As much as fits is no reason to be slow, nor to lose the cookie among others.
    let almost = "x".repeat(12 << 10);
    for (what, fields) in [
        ("a bearer", format!("Authorization: Bearer {almost}\r\n")),
        ("a cookie", format!("Cookie: session={almost}\r\n")),
        ("a signature", format!("Cookie: session=x.{}\r\n", "0".repeat(12 << 10))),
        ("many of ours", format!("Cookie: {}\r\n", "session=x.00;".repeat(900))),
    ] {
        assert!(who(&stage.api, &fields).is_null(), "{what}");
    }
    let value = session.trim().strip_prefix("Cookie: ").unwrap();
    assert_eq!(who(&stage.api, &format!("Cookie: {}{value}\r\n", "session=x.00; ".repeat(900))), "alice");
    assert_well(&stage);
}

#[test]
fn bodies_that_are_too_large_or_too_deep_are_refused() {
    let stage = Stage::local();
    let ada = sign_in(&stage.api, "ada");
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let nested =
        [deep("[", "]"), deep("{\"a\":", "}"), "[".repeat(1 << 20), format!("{{\"user\":{}}}", deep("[", "]"))];
    let paths = ["/api/login", "/api/jobs", "/api/jobs/train", "/api/runner/pause", "/api/2fa/enrol"];
    for path in paths {
        for body in &nested {
            assert_eq!(post(&stage.api, path, &ada, body).status, 422, "{path} {body:.10}");
        }
        assert_eq!(post(&stage.api, path, &ada, vec![b' '; (1 << 20) + 1]).status, 413, "{path}");
        assert_eq!(post(&stage.api, path, &ada, vec![0xff; 1 << 20]).status, 422, "{path}");
    }
    let members: Vec<String> = (0..60_000).map(|n| format!("\"{n}\":0")).collect();
    let many = format!("{{{}}}", members.join(","));
    let reply = post(&stage.api, "/api/jobs", &ada, many);
    assert!(reply.status == 422 && reply.body.len() < 100_000, "{} {}", reply.status, reply.body.len());
    let json = "Content-Type: application/json\r\n";
    assert_eq!(post(&stage.api, "/api/2fa", &format!("{ada}{json}"), deep("[", "]")).status, 422);
    assert_well(&stage);
}

#[test]
fn sixteen_kibibytes_of_name_password_or_code_are_just_wrong_and_more_is_not_read() {
    let stage = Stage::local();
    let session = sign_in(&stage.api, "bob");
    let most = "0".repeat((16 << 10) - 100);
    let tries = [("alice", &*most), (&most, PASSWORD)];
    let began = at_once(2, |n| try_password(&stage.api, tries[n].0, tries[n].1, ""));
    assert!(began.iter().all(|reply| reply.status == 401 && reply.body.len() < 1000), "{began:?}");
    for wrong in [most.clone(), " ".repeat(16 << 10), format!("{}{most}", code("bob", 0))] {
        let reply = post(&stage.api, "/api/2fa", &session, wrong);
        assert!(reply.status == 400 && reply.body.len() < 1000, "{reply:?}");
    }
    for (path, session) in [("/api/2fa", &*session), ("/api/login", "")] {
        assert_eq!(post(&stage.api, path, session, "0".repeat((16 << 10) + 1)).status, 413, "{path}");
    }
    let reply = post(&stage.api, "/api/2fa", &session, code("bob", 0));
    assert_eq!(reply.status, 200, "what was too large did not count: {reply:?}");
    let kept = std::fs::metadata(stage.spool.state_directory().join("attempts.json")).unwrap().len();
    let recorded = std::fs::metadata(stage.spool.state_directory().join("audit.jsonl")).unwrap().len();
    assert!(kept < 1000 && recorded < 10_000, "{kept} {recorded}");
}

#[test]
fn every_argument_takes_too_much_for_what_it_is() {
    let stage = Stage::open();
    let long = "9".repeat(10_000);
    let values =
        [&*long, "-1", "99999999999999999999999", "1e309", "NaN", "%00", "%ff", "%", "%F0%9F%90%97", "", "'\"><"];
    let mut asked = 0;
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let path = route.path.replace("{id:number}", "1").replace("{name:text}", "x");
        for argument in route.query {
            for value in values {
                let reply = get(&stage.api, &format!("{path}?{}={value}", argument.name), "");
                // Without a job there is nothing to be seen, and without a Gerrit nobody to be asked.
                assert!(
                    [200, 303, 400, 404, 422].contains(&reply.status),
                    "{path} {} {value:.20}: {reply:?}",
                    argument.name
                );
                if matches!(argument.kind, ArgumentKind::Number)
                    && value.len() > 20
                    && !reply.body.contains("No such job")
                {
                    assert_eq!(reply.status, 422, "{path} {}", argument.name);
                }
                asked += 1;
            }
        }
        if route.path == "/api/events" {
            continue; // it would go on
        }
        let many = (0..700).map(|n| format!("&change_url={n}&user=u")).collect::<Vec<_>>().concat();
        let status = get(&stage.api, &format!("{path}?{}", &many[..15_000]), "").status;
        // What needs a page, a train or a monitor says that there is none.
        assert!(status < 500 || status == 503, "{path}: {status}");
    }
    assert!(asked > 200, "{asked}");
    for (key, expected) in [("", 400), ("\"\"", 400), (&*"k".repeat(256), 400), ("a\tb", 400), ("ü", 400)] {
        let status = post(&stage.api, "/api/jobs", &format!("Idempotency-Key: {key}\r\n"), r#"{"type":"noop"}"#).status;
        assert_eq!(status, expected, "{key:.10}");
    }
    assert_well(&stage);
}

#[test]
fn who_sends_a_byte_now_and_then_keeps_nobody_waiting() {
    let stage = Stage::local();
    let half = |bytes: &str| {
        let mut stream = connect(&stage.api);
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    };
    let (first, rest) = ("{\"user\":\"alice\",\"pass", format!("word\":\"{PASSWORD}\"}}"));
    let length = first.len() + rest.len();
    let head = format!("POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
    let begun = [
        "P",
        "POST /api/login HTTP/1.1\r\nHost: loc",
        &head,
        &format!("{head}\r\n{first}"),
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{",
    ];
    let mut slow: Vec<TcpStream> = (0..190).map(|n| half(begun[n % begun.len()])).collect();
    let session = sign_in(&stage.api, "alice");
    let sessions = at_once(8, |_| sign_in(&stage.api, "victor"));
    for byte in ["X", "-", "A"] {
        for (n, stream) in slow.iter_mut().enumerate().filter(|(n, _)| n % begun.len() < 3) {
            assert!(stream.write_all(byte.as_bytes()).is_ok(), "{n}");
        }
        for session in [&session, &sessions[7]] {
            assert_eq!(get(&stage.api, "/api/jobs", session).status, 200);
        }
    }
    // Nothing of what has come is done before the rest is there.
    assert_eq!(stage.state("sessions.json").as_object().unwrap().len(), 9);
    let mut patient = slow.remove(3);
    patient.write_all(rest.as_bytes()).unwrap();
    let mut status = [0; 12];
    std::io::Read::read_exact(&mut patient, &mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200", "a slow one is served as soon as all is there");
    drop(slow);
    assert_well(&stage);
}

#[test]
fn many_requests_on_one_connection_are_many_requests() {
    let stage = Stage::local();
    let one = "GET /api/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(300);
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let replies = send(&stage.api, format!("{one}{last}").as_bytes());
    let statuses = crate::server::statuses(&replies);
    assert_eq!((statuses.len(), statuses[..300].iter().all(|status| *status == 401)), (301, true));
}
