//! What the tests of this module share: an [`App`], a client that writes bytes and reads responses, and the log.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::app::{App, Limits};
use super::mirror::Mirror;
use crate::config::Config;
use crate::spool::lock::RunnerLock;
use crate::spool::{Spool, sequence};

/// How long a test waits for anything before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The job types that the tests know.
const CONFIG: &str = r#"
[auth]
mode = "none"
[job_types.greet]
command = ["greet", "{name}", "{key}"]
[[job_types.greet.params]]
name = "name"
kind = "string"
required = true
[[job_types.greet.params]]
name = "key"
kind = "string"
sensitive = true
[job_types.other]
command = ["true"]
lane = "other"
"#;

/// A spool of its own for one test, which goes when this is dropped.
pub struct Bench {
    pub spool: Spool,
    pub runner: RunnerLock,
    _directory: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        sequence::raise(&spool, &runner, 0).unwrap();
        Self { spool, runner, _directory: directory }
    }

    /// An app for a loopback listener, whose limits are beyond every test. Its mirror is told of changes.
    pub fn app(&self) -> App {
        App {
            config: Config::parse("test.toml".as_ref(), CONFIG).unwrap(),
            spool: self.spool.clone(),
            mirror: Mirror::start(self.spool.clone(), true).unwrap(),
            public_url: "http://spiderpig.test:8000".parse().unwrap(),
            listener_is_loopback: true,
            user: "tester".into(),
            limits: Limits { head_read: 2 * DEADLINE, body_read: 2 * DEADLINE, ..Limits::default() },
            shutdown: CancellationToken::new(),
        }
    }

    /// Serves an app until its shutdown or the end of the test.
    pub async fn serve(app: App) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(super::server::serve(listener, Arc::new(app)));
        address
    }
}

/// An app for tests that do not look into the spool: it is gone.
pub fn app() -> App {
    Bench::new().app()
}

/// Waits for a future, but not for ever.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("this takes too long")
}

/// One connection to a server.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A response as it came.
pub struct Reply {
    pub status: StatusCode,
    head: String,
    pub body: String,
}

impl Client {
    pub async fn connect(address: std::net::SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Writes bytes; an error is left to be seen by the next read.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        soon(self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Tells the server that nothing more comes.
    pub async fn finish_writing(&mut self) {
        soon(self.stream.shutdown()).await.unwrap();
    }

    /// Sends one request that names the loopback host, and reads its response.
    pub async fn ask(&mut self, request_line: &str) -> Reply {
        self.ask_with(request_line, "Host: localhost\r\n", "").await
    }

    /// Sends one request and reads its response. `headers` end with CRLF each; `Content-Length` is added.
    pub async fn ask_with(&mut self, request_line: &str, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let head = format!("{request_line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.write(head + body).await;
        self.reply(!request_line.starts_with("HEAD")).await
    }

    /// Reads one response whose length is known.
    pub async fn reply(&mut self, has_body: bool) -> Reply {
        let head = self.read_until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut reply = Reply { status: status.unwrap(), head, body: String::new() };
        if has_body {
            let length = reply.header("content-length").unwrap().parse().unwrap();
            while self.unread.len() < length {
                assert!(self.read_some().await, "the body broke off");
            }
            reply.body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        }
        reply
    }

    /// Reads up to and with the next `end`.
    pub async fn read_until(&mut self, end: &str) -> String {
        loop {
            let found = self.unread.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(place) = found {
                return String::from_utf8(self.unread.drain(..place + end.len()).collect()).unwrap();
            }
            let more = self.read_some().await;
            assert!(more, "no {end:?} after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Reads until the server closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        while self.read_some().await {}
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    async fn read_some(&mut self) -> bool {
        matches!(soon(self.stream.read_buf(&mut self.unread)).await, Ok(1..))
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What was logged by any test since one of them asked for it; so look for what only yours can have caused.
pub struct Log(Mutex<Vec<u8>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl Log {
    /// The one log. A subscriber for each thread would miss lines: `tracing` remembers for all threads that a place in
    /// the code is not listened to by the first.
    pub fn of_all_tests() -> &'static Self {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| &LOG).finish();
        // It fails if another test was first, which had the same wish.
        let _ = tracing::subscriber::set_global_default(subscriber);
        &LOG
    }

    /// The first line that has all the parts.
    pub fn line_with(&self, parts: &[&str]) -> String {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let log = String::from_utf8(log).unwrap();
        let line = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        line.unwrap_or_else(|| panic!("no line with {parts:?} in\n{log}")).to_owned()
    }
}

impl io::Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
