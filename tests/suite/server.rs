//! The HTTP server as strangers meet it: bytes on sockets, too many of them, and none.

mod listeners;
mod oddities;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;

use crate::client::{Api, start, start_as};
use crate::support::{DEADLINE, TestSpool, wait_for, wait_until};

/// A spool that a runner has laid out.
fn spool_with(configuration: &str) -> TestSpool {
    let spool = TestSpool::with_api(configuration);
    assert!(spool.runner().terminate().success());
    spool
}

fn address(api: &Api) -> SocketAddr {
    api.base.strip_prefix("http://").unwrap().parse().unwrap()
}

pub fn connect(api: &Api) -> TcpStream {
    let stream = TcpStream::connect(address(api)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Reads until the server closes the connection, in order or by a reset.
pub fn read_to_close(stream: &mut impl Read) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(1..) if all.len() > 1 << 20 => panic!("it never ends"),
            Ok(0) => break,
            Ok(length) => all.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            // A read with a deadline is not begun again by itself after a signal, such as that of a child that ends.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&all)),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The statuses of the responses in a text.
pub fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.").skip(1).map(|response| response[2..5].parse().unwrap()).collect()
}

/// Sends bytes and a last request after which the server closes, unless it has done so before. Returns all statuses.
pub fn exchange(api: &Api, bytes: &[u8]) -> Vec<u16> {
    let mut stream = connect(api);
    stream.write_all(bytes).unwrap();
    // It may be closed already.
    let _ = stream.write_all(b"GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    statuses(&read_to_close(&mut stream))
}

const GOOD: &str = "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_thousand_requests_sent_ahead_are_answered_in_order() {
    let spool = spool_with("");
    let api = start(&spool);
    let mut stream = connect(&api);
    let request = |id: u32| format!("GET /api/jobs/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let requests = (1..=1000).map(request).collect::<Vec<_>>().concat();
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(requests.as_bytes()).unwrap();
        writer.write_all(b"GET /end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    });
    let text = read_to_close(&mut stream);
    writing.join().unwrap();
    let ids = text.split("\"job_id\":").skip(1).map(|rest| rest.split('}').next().unwrap().parse().unwrap());
    assert_eq!(ids.collect::<Vec<u32>>(), (1..=1000).collect::<Vec<_>>());
    assert_eq!(statuses(&text), [404; 1001]);
}

#[test]
fn endless_heads_and_bodies_are_cut_off() {
    let spool = spool_with("");
    let api = start(&spool);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let plain = "x".repeat(0x10000);
    for (head, piece, expected) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", "A: b\r\n", "431"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nA: ", "bbbbbbbbbbbbbbbb", "431"),
        ("POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", &chunk, "413"),
        ("POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n", &plain, "413"),
    ] {
        let mut stream = connect(&api);
        let mut reader = stream.try_clone().unwrap();
        let answer = std::thread::spawn(move || read_to_close(&mut reader));
        stream.write_all(head.as_bytes()).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while stream.write_all(piece.as_bytes()).is_ok() {
            assert!(Instant::now() < deadline, "it is read for ever: {head}");
        }
        let answer = answer.join().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{head}: {answer}");
    }
    assert_eq!(api.get("/api/whoami").0, 200);
}

/// The access lines that have a text in them, in either format.
fn access_lines(api: &Api, path: &str) -> Vec<String> {
    let log = api.daemon.log();
    let lines = log.lines().filter(|line| line.contains("access") && line.contains(path));
    lines.map(str::to_owned).collect()
}

#[test]
fn nobody_can_forge_a_line_of_log() {
    for format in ["text", "json"] {
        let spool = spool_with(&format!("log_format = \"{format}\"\n"));
        let api = start(&spool);
        let targets: [&[u8]; 4] = [
            b"/forged%0a2026 INFO evil",
            b"/forged%1b[2J%0d%0aevil",
            b"/forged\xc2\x9bevil\xe2\x80\xae",
            b"/forged\"}evil\\",
        ];
        for target in targets {
            let target: Vec<u8> = target.iter().copied().filter(|byte| *byte != b' ').collect();
            let head = [b"GET ", &*target, b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: evil\r\n\r\n"].concat();
            exchange(&api, &head);
        }
        wait_until("they are logged", || access_lines(&api, "evil").len() >= 4);
        let log = api.daemon.log();
        let forged: Vec<&str> = log.lines().filter(|line| line.contains("evil")).collect();
        assert_eq!(forged.len(), 4, "{forged:#?}");
        for line in forged {
            assert!(line.contains("forged") && line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap();
                assert_eq!((&line["status"], &line["ended"]), (&Value::from(404), &Value::from("complete")), "{line}");
                assert_eq!(line["span"]["user"], "tester", "{line}");
            }
        }
    }
}

#[test]
fn the_log_says_who_asked_and_how_it_ended() {
    let spool = spool_with("trusted_proxies = [\"127.0.0.1\"]\n");
    let runner = spool.runner();
    let api = start(&spool);
    let id = api.create("echo up; sleep 600");
    let ask = |path: &str| {
        let mut stream = connect(&api);
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7, 127.0.0.1\r\n\
             X-Request-ID: from-the-proxy\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 4096];
        let length = stream.read(&mut begin).unwrap();
        let text = String::from_utf8_lossy(&begin[..length]).into_owned();
        assert!(text.contains("x-request-id: from-the-proxy"), "{text}");
        stream
    };
    let line_of = |path: &str| wait_for("the line", || access_lines(&api, path).into_iter().next());

    ask("/api/whoami?ticket=secret");
    let line = line_of("/api/whoami");
    for part in ["request_id=\"from-the-proxy\"", "address=198.51.100.7", "status=200", "ended=\"complete\""] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!api.daemon.log().contains("secret"));

    let followed = ask(&format!("/api/jobs/{id}/log"));
    drop(followed);
    let line = line_of("/log");
    assert!(line.contains("ended=\"client went away\"") && line.contains("status=200"), "{line}");

    let _followed = ask(&format!("/api/jobs/{id}/log?resume_record=1"));
    let Api { daemon, .. } = &api;
    kill_process(Pid::from_child(&daemon.child), Signal::TERM).unwrap();
    wait_until("the second stream is ended", || access_lines(&api, "ended=\"shut down\"").len() == 1);
    drop(runner);
}

#[test]
fn an_untrusted_peer_chooses_neither_address_nor_request_id() {
    let spool = spool_with("trusted_proxies = [\"192.0.2.1\"]\n");
    let api = start(&spool);
    let mut stream = connect(&api);
    let head = "GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                X-Forwarded-For: 198.51.100.7\r\nX-Request-ID: mine\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(!read_to_close(&mut stream).contains("mine"));
    let line = wait_for("the line", || access_lines(&api, "/api/whoami").into_iter().next());
    assert!(line.contains("address=127.0.0.1") && !line.contains("mine"), "{line}");
}

/// Lets this process open enough connections. Returns how many that are.
fn room_for(connections: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    connections.min(limit.maximum.unwrap_or(u64::MAX).saturating_sub(1000) / 2)
}

fn resident_kilobytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn idle_connections_are_held_and_closed_in_time() {
    let wanted = std::env::var("SPIDERPIG_TEST_CONNECTIONS").ok().and_then(|number| number.parse().ok());
    let count = room_for(wanted.unwrap_or(2000));
    let spool = spool_with("");
    let api = start(&spool);
    api.get("/api/whoami");
    let before = resident_kilobytes(api.daemon.pid());
    let mut connections: Vec<TcpStream> = (0..count).map(|_| connect(&api)).collect();
    for stream in &mut connections {
        stream.write_all(GOOD.as_bytes()).unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).unwrap() > 0);
        assert!(head.starts_with(b"HTTP/1.1 200 "));
    }
    let used = resident_kilobytes(api.daemon.pid()).saturating_sub(before);
    println!("{count} idle connections: {used} kB, {} bytes each", used * 1024 / count);
    assert_eq!(api.get("/api/whoami").0, 200, "there is still room for others");
    connections[0].write_all(b"GET /api/whoami HT").unwrap();
    assert!(api.daemon.terminate().success());
    for stream in &mut connections {
        read_to_close(stream);
    }
}

/// A command of the API with a limit of open files.
fn limited(spool: &TestSpool, files: u32) -> Command {
    let api = spool.command("spiderpig-api");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]).arg(api.get_program()).args(api.get_args());
    command.env("RUST_LOG", "info").args(["--listen", "127.0.0.1:0"]);
    command
}

#[test]
fn the_connection_that_is_too_many_is_told_so() {
    let spool = spool_with("");
    let api = start_as(&spool, &mut limited(&spool, 256)); // 128 connections
    let mut held: Vec<TcpStream> = (0..128).map(|_| connect(&api)).collect();
    for stream in &mut held {
        stream.write_all(GOOD.as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    }
    for _ in 0..200 {
        let mut refused = connect(&api);
        let _ = refused.write_all(GOOD.as_bytes());
        let answer = read_to_close(&mut refused);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: ") && answer.contains("\r\nX-Request-ID: "), "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(body["detail"]["message"].is_string(), "{body}");
    }
    let told = || api.daemon.log().matches("all places are taken").count();
    wait_until("it is logged", || told() > 0);
    assert!(told() < 100, "told {} times", told());
    // Those who say nothing and do not go get no answer in the end, and do not keep the others from theirs.
    let _silent: Vec<TcpStream> = (0..300).map(|_| connect(&api)).collect();
    drop(held);
    wait_until("there is room again", || {
        let mut stream = connect(&api);
        stream.write_all(b"GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        read_to_close(&mut stream).starts_with("HTTP/1.1 200 ")
    });
}

#[test]
fn it_survives_having_no_file_left() {
    let spool = spool_with("");
    let api = start_as(&spool, &mut limited(&spool, 256));
    let pid = Some(Pid::from_child(&api.daemon.child));
    let open = fs::read_dir(format!("/proc/{}/fd", api.daemon.pid())).unwrap().count() as u64;
    let few = Rlimit { current: Some(open + 2), maximum: Some(256) };
    let before = rustix::process::prlimit(pid, Resource::Nofile, few).unwrap();
    let held: Vec<TcpStream> = (0..20).map(|_| connect(&api)).collect();
    wait_until("it says so", || api.daemon.log().contains("cannot accept a connection"));
    rustix::process::prlimit(pid, Resource::Nofile, before).unwrap();
    assert_eq!(exchange(&api, GOOD.as_bytes()), [200, 200]);
    drop(held);
}

#[test]
fn a_stuck_reader_of_the_log_stops_nothing() {
    let spool = spool_with("");
    let (reader, writer) = std::io::pipe().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = spool.command("spiderpig-api");
    command.args(["--listen", &format!("127.0.0.1:{port}")]).stdin(Stdio::null()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command); // and with it our own end for writing
    let mut stream = wait_for("it listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // Far more than a pipe holds; nobody reads it.
    for _ in 0..2000 {
        stream.write_all(GOOD.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait_for("it ends nonetheless", || child.try_wait().unwrap());
    assert!(status.success());
    drop(reader);
}

#[test]
fn an_end_is_orderly_whatever_is_open() {
    let spool = spool_with("");
    let api = start(&spool);
    let (mut silent, mut half, mut idle) = (connect(&api), connect(&api), connect(&api));
    half.write_all(b"GET /api/whoami HTTP/1.1\r\nHost: loc").unwrap();
    idle.write_all(GOOD.as_bytes()).unwrap();
    assert!(idle.read(&mut [0; 4096]).unwrap() > 0);
    // When this one is answered, the others are known.
    assert_eq!(exchange(&api, GOOD.as_bytes()), [200, 200]);
    let pid = Pid::from_child(&api.daemon.child);
    kill_process(pid, Signal::TERM).unwrap();
    let _ = kill_process(pid, Signal::TERM);
    for stream in [&mut silent, &mut half, &mut idle] {
        assert_eq!(read_to_close(stream), "");
    }
    let mut daemon = api.daemon;
    let status = wait_for("it ends", || daemon.child.try_wait().unwrap());
    let log = daemon.log();
    assert!(status.success() && !log.contains("stopped before"), "{status} {log}");
}
