//! What the tests of this module share: an [`App`], a client that writes bytes and reads responses, and the log.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use rust_embed::RustEmbed;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::app::{App, LARGE_AT_ONCE, Limits};
use super::document;
use super::front;
use crate::accounts::Auth;
use crate::audit::Audit;
use crate::audit::refusals::RefusalLimiter;
use crate::blocking::WriteLimiter;
use crate::changes::gerrit::{Change, Status as ChangeStatus};
use crate::config::{Config, GerritUrl, Listen};
use crate::health::disk::Disks;
use crate::health::metrics::Metrics;
use crate::http::files::EmbeddedFiles;
use crate::http::listener::Listener;
use crate::http::server;
use crate::logs::Logs;
use crate::mirror::Mirror;
use crate::spool::atomic;
use crate::spool::atomic::Published;
use crate::spool::history;
use crate::spool::history::HistoryLine;
use crate::spool::job::LockedJob;
use crate::spool::lock::RunnerLock;
use crate::spool::plan::Plan;
use crate::spool::request::JobRequest;
use crate::spool::runner_state::{LaneState, RunnerState};
use crate::spool::status::{Interaction, InteractionKind, State, Status};
use crate::spool::submitter::TrustedSubmitters;
use crate::spool::{JobId, Spool, Time, queue, sequence};
use crate::state::StateDirectory;
use crate::submit::Submissions;

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
[job_types.train]
command = ["train", ["--exclude-wikis", "{excludedWikis:,}"], "--", "{group}", "{version}"]
lane = "other"
[[job_types.train.params]]
name = "group"
kind = "string"
required = true
[[job_types.train.params]]
name = "version"
kind = "string"
required = true
[[job_types.train.params]]
name = "excludedWikis"
kind = "string"
many = true
[job_types.backport]
command = ["backport", "{change_url}"]
[[job_types.backport.params]]
name = "change_url"
kind = "gerrit-change"
many = true
required = true
[gerrit]
url = ""
branches = ["master", "wmf/.*"]
"#;

/// A page as the build leaves it, with little in it.
#[derive(RustEmbed)]
#[folder = "src/api/handlers/page/tests"]
struct TestPage;

/// A spool of its own for one test, which goes when this is dropped.
pub struct Bench {
    pub spool: Spool,
    pub runner: RunnerLock,
    directory: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(&directory.path().join("spool")).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        sequence::repair(&spool, &runner, 0, 0).unwrap();
        Self { spool, runner, directory }
    }

    /// What the APIs of this spool share; the first one that needs it makes it.
    pub fn state_directory(&self) -> StateDirectory {
        StateDirectory::new(&self.directory.path().join("api"))
    }

    /// What its APIs record.
    pub fn audit(&self) -> Audit {
        Audit::new(self.state_directory())
    }

    /// Puts `queue/N.json` there, as an operator would.
    pub fn queue(&self, request: &JobRequest) {
        let path = self.spool.queued(request.id);
        let published = atomic::publish(&self.spool.incoming(), &path, &request.to_bytes(), 0o640).unwrap();
        assert_eq!(published, Published::New);
    }

    /// Writes a file of `monitoring/`, as another program would.
    pub fn monitor(&self, name: &str, content: &str) {
        let path = self.spool.monitoring().join(name);
        atomic::replace(&path, content.as_bytes(), 0o640, atomic::Durability::Ordered).unwrap();
    }

    /// Claims a job, as the runner would.
    pub fn claim(&self, status: &Status) -> LockedJob {
        self.claim_as(&request(status.id.into()), status)
    }

    /// The same of a job that was asked for so.
    pub fn claim_as(&self, request: &JobRequest, status: &Status) -> LockedJob {
        let plan = Plan {
            version: 1,
            id: status.id,
            user: status.user.clone(),
            arguments: status.command.clone(),
            environment: BTreeMap::new(),
            marker: String::new(),
            working_directory: "/".into(),
            umask: 0o022,
            time_limit_ms: None,
            stop_grace_ms: 0,
            max_log: 0,
            cgroup: None,
            outcomes: vec![],
            quiet_after_ms: None,
            stop_leftovers: true,
            lane: status.lane.clone(),
            slot: None,
            lock: None,
            trusted_submitters: TrustedSubmitters::default(),
            shown_params: Map::new(),
            watch: true,
            rescan_ms: 1000,
        };
        let job = LockedJob::claim(&self.spool, &self.runner, &request.to_bytes(), &plan, status).unwrap();
        queue::remove(&self.spool, status.id).unwrap();
        job
    }

    /// Ends a claimed job and writes the history, as supervisor and runner would.
    pub fn finish(&self, job: &LockedJob, status: &Status) {
        job.write_final_status(status).unwrap();
        self.tidy(status);
    }

    /// Writes a job into the history.
    pub fn tidy(&self, status: &Status) {
        let shown = Map::from_iter([("name".to_owned(), json!("World"))]);
        let line = HistoryLine::new(status, Some(&request(status.id.into())), shown);
        history::append(&self.spool, &self.runner, &line).unwrap();
    }

    /// The spool in memory, told of changes by the kernel or not.
    pub fn mirror(&self, watch: bool) -> Mirror {
        Mirror::start(self.spool.clone(), watch, super::job::rendered).unwrap()
    }

    /// An app for a loopback listener. Its mirror is told of changes.
    pub fn app(&self) -> App {
        let mirror = Arc::new(self.mirror(true));
        let submissions = Submissions::new(self.spool.clone(), Arc::clone(&mirror), self.state_directory());
        let logs = Logs::new(self.spool.clone(), Arc::clone(&mirror));
        let disks = Disks::new(self.spool.clone(), Arc::clone(&mirror), config().api.state_directory);
        App {
            config: config(),
            gerrit: None,
            spool: self.spool.clone(),
            mirror,
            public_url: "http://spiderpig.test:8000".parse().unwrap(),
            auth: Auth::open("tester"),
            page: EmbeddedFiles::of::<TestPage>(),
            openapi: document::openapi,
            metrics: Metrics::default(),
            disks: Arc::new(disks),
            submissions: Arc::new(submissions),
            inbox_writes: WriteLimiter::default(),
            audit: Arc::new(self.audit()),
            refusals: RefusalLimiter::default(),
            limits: Limits::default(),
            shutdown: CancellationToken::new(),
            logs: Arc::new(logs),
            streams: crate::http::streams::Streams::default(),
            large: Arc::new(tokio::sync::Semaphore::new(LARGE_AT_ONCE)),
        }
    }

    /// Serves an app until its shutdown or the end of the test.
    pub async fn serve(app: App) -> SocketAddr {
        let (listener, address) = listener().await;
        tokio::spawn(front::serve(vec![listener], Arc::new(app), server_limits()));
        address
    }
}

/// The limits of a server, those for slow clients beyond every test.
pub fn server_limits() -> server::Limits {
    server::Limits { head_read: 2 * DEADLINE, body_read: 2 * DEADLINE, ..server::Limits::default() }
}

/// A listener on a free loopback port, and its address.
pub async fn listener() -> (Listener, SocketAddr) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Listen::Tcp(address) = listener.listen() else { panic!("it is TCP") };
    (listener, address)
}

pub fn config() -> Config {
    Config::parse("test.toml".as_ref(), CONFIG).unwrap()
}

/// The address of a Gerrit that there is not.
pub fn gerrit_url() -> GerritUrl {
    let config = Config::parse("test.toml".as_ref(), "gerrit.url = 'https://gerrit.test/r/'").unwrap();
    config.gerrit.url.unwrap()
}

/// An open change with all the votes that it needs.
pub fn change(number: u32) -> Change {
    Change {
        number,
        project: "mediawiki/core".into(),
        branch: "master".into(),
        subject: format!("Subject {number}"),
        status: ChangeStatus::New,
        owner: Some("Alice".into()),
        work_in_progress: false,
        revision: String::new(),
        message: format!("Subject {number}\n"),
        verified: vec![2],
        code_review: vec![2],
    }
}

/// A request for job `number`, with a secret in it.
pub fn request(number: u64) -> JobRequest {
    let params = json!({ "name": "World", "key": "hunter2" });
    JobRequest {
        version: 1,
        id: job_id(number),
        job_type: "greet".into(),
        params: params.as_object().unwrap().clone(),
        user: "alice".into(),
        submitted_at: Time::from_milliseconds(1_000_250),
        data: None,
        retry_of: None,
        key_hash: None,
    }
}

/// The status of job `number` once it is claimed.
pub fn status(number: u64, state: State) -> Status {
    Status {
        version: 1,
        id: job_id(number),
        job_type: "greet".into(),
        user: "alice".into(),
        lane: "default".into(),
        state,
        queued_at: Time::from_milliseconds(1_000_250),
        started_at: Some(Time::from_milliseconds(1_001_000)),
        finished_at: None,
        command: vec!["greet".into(), "World".into(), "•••".into()],
        message: None,
        progress: None,
        interaction: None,
        answered: None,
        exit_status: None,
        signal: None,
        reason: None,
        outcome: None,
        outcome_by: None,
        phase: None,
        last_error: None,
        cancelled_by: None,
        quiet_since: None,
        warning: None,
        stop_refused: None,
        memory_peak: None,
        cpu_seconds: None,
        log_records: 0,
        dropped_bytes: 0,
        marker: None,
        boot_id: None,
        cgroup: None,
        process: None,
        supervisor: None,
    }
}

/// A runner with another configuration or ours, and jobs that wait with their reasons.
pub fn runner_state(configuration: &str, waiting: &[(u64, &str)]) -> RunnerState {
    let waiting = waiting.iter().map(|(id, why)| (job_id(*id), (*why).to_owned())).collect();
    RunnerState {
        version: 1,
        pid: 1,
        process: None,
        started_at: Time::from_milliseconds(0),
        program: "test".into(),
        configuration: configuration.into(),
        shared_configuration: String::new(),
        watching: true,
        job_types: vec!["greet".into(), "backport".into(), "train".into()],
        paused: None,
        cgroup: None,
        lanes: [("default".to_owned(), LaneState { waiting, ..LaneState::default() })].into(),
        held: BTreeMap::new(),
        failed_starts: BTreeMap::new(),
        problems: vec![],
    }
}

/// A train that has reached the test wikis and gone on to a part of group0.
pub const TRAIN: &str = r#"{
    "format": 1, "time": "2026-11-24T08:00:00Z", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2",
    "groups": { "testwikis": ["testwiki"], "group0": ["testwiki", "mediawikiwiki", "zuwiki"], "group1": ["dewiktionary"] },
    "wikiVersions": {
        "testwiki": "1.46.0-wmf.3", "zuwiki": "1.46.0-wmf.3", "mediawikiwiki": "1.46.0-wmf.2",
        "dewiktionary": "1.46.0-wmf.2"
    },
    "task": "T392180", "taskUrl": "https://phabricator.wikimedia.org/T392180", "taskStatus": "open",
    "taskReleaseDate": "2026-11-23", "taskVersion": "1.46.0-wmf.3", "warnings": ["The branch was cut late"]
}"#;

/// Seven errors with two messages.
pub const ERRORS: &str = r#"{
    "format": 1, "time": "2026-11-24T08:00:00Z",
    "log": {
        "Undefined index": { "count": 5, "versions": ["1.46.0-wmf.3", "1.46.0-wmf.2"] },
        "Too many connections": { "count": 2, "versions": [] }
    }
}"#;

/// A prompt with the codes `y` and `n`, of which the second is the default.
pub fn prompt(number: u32) -> Interaction {
    Interaction {
        sensitive: false,
        id: number,
        kind: InteractionKind::Choices,
        prompt: "Deploy?".into(),
        choices: [("Yes", "y"), ("No", "n")].map(|(label, code)| (label.into(), code.into())).into(),
        default: Some("n".into()),
        asked_at: Time::from_milliseconds(1_002_000),
    }
}

pub fn job_id(number: u64) -> JobId {
    JobId::try_from(number).unwrap()
}

/// Waits until something is so; a condition that nothing tells of is looked at again and again.
pub async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    soon(wait).await;
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

    /// The same of somebody, whom header fields show.
    pub async fn ask_as(&mut self, who: &str, request_line: &str, body: &str) -> Reply {
        self.ask_with(request_line, &format!("Host: localhost\r\n{who}"), body).await
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
        let mut reply = Reply::of(self.read_until("\r\n\r\n").await);
        if has_body {
            let length = reply.header("content-length").unwrap().parse().unwrap();
            reply.body = self.read_exactly(length).await;
        }
        reply
    }

    /// Reads one response, and of one whose length is not known only the head.
    pub async fn reply_or_stream(&mut self) -> Reply {
        let head = self.read_until("\r\n\r\n").await;
        let mut reply = Reply::of(head);
        if let Some(length) = reply.header("content-length") {
            reply.body = self.read_exactly(length.parse().unwrap()).await;
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

    /// Reads so many bytes.
    pub async fn read_exactly(&mut self, length: usize) -> String {
        while self.unread.len() < length {
            assert!(self.read_some().await, "the stream broke off");
        }
        String::from_utf8(self.unread.drain(..length).collect()).unwrap()
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
    fn of(head: String) -> Self {
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self { status: status.unwrap(), head, body: String::new() }
    }

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
        self.find(parts).unwrap_or_else(|| panic!("no line with {parts:?} in\n{}", self.text()))
    }

    /// The same, when it may not have been written yet.
    pub async fn wait_for_line(&self, parts: &[&str]) -> String {
        until(|| self.find(parts).is_some()).await;
        self.line_with(parts)
    }

    fn find(&self, parts: &[&str]) -> Option<String> {
        let text = self.text();
        let line = text.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        line.map(str::to_owned)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
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
