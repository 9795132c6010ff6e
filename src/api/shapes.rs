//! What each route answers, and how each refusal looks: other programs rely on it.

mod schema;
mod signing_in;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hyper::Method;
use regex::Regex;
use serde_json::{Value, json};

use super::route::Route;
use super::table::{ROUTES, find};
use super::testing::{Bench, Client, ERRORS, TRAIN, job_id, prompt, request, runner_state, status, until};
use crate::audit::{Entry, Event};
use crate::http::describe::Content;
use crate::protocol::Piece;
use crate::spool::atomic::Durability;
use crate::spool::log::RecordKind;
use crate::spool::outcome::{LastError, Outcome};
use crate::spool::status::State;
use crate::spool::{Time, reject, sequence};

/// Requests that succeed, at least one for each route, and what a client can do wrong. A body stands behind the path.
const REQUESTS: &[&str] = &[
    "GET /healthz",
    "GET /metrics",
    "GET /favicon.ico",
    "GET /",
    "GET /jobs/1",
    "GET /start/greet",
    "GET /runner",
    "GET /admin",
    "GET /login",
    "GET /second-factor",
    "GET /enrol",
    "GET /account",
    "GET /logout",
    "GET /notauthorized",
    "GET /mediawiki/backport",
    "GET /assets/index-Ab_1-x.js",
    "GET /assets/index-old.js",
    "GET /nothing",
    "GET /api/whoami",
    "GET /api/login?next=/jobs/1",
    "POST /api/login {\"user\":\"alice\",\"password\":\"correct horse battery\"}",
    "GET /api/2fa",
    "GET /api/users",
    "GET /api/jobrunner/status",
    "GET /api/runner",
    "GET /api/jobs",
    "GET /api/jobs?limit=1&skip=1",
    "GET /api/jobs?limit=ten",
    "GET /api/jobs?state=failed&state=lost&user=alice&type=greet&q=wORLD&before=3",
    "GET /api/jobs?state=none",
    "GET /api/jobs?outcome=failed&outcome=lost",
    "GET /api/jobs?outcome=none",
    "GET /api/jobs/1",
    "GET /api/jobs/2",
    "GET /api/jobs/3",
    "GET /api/jobs/4",
    "GET /api/jobs/9",
    "GET /api/jobs/none",
    "GET /api/jobs/1/log",
    "GET /api/jobs/1/log?include_sensitive=true",
    "GET /api/jobs/1/log?resume_record=3",
    "GET /api/jobs/1/log?format=text",
    "GET /api/jobs/1/log?heartbeat=true&format=text",
    "GET /api/jobs/1/log?resume_record=99",
    "GET /api/jobs/1/log?resume_record=-1",
    "GET /api/jobs/9/log",
    "GET /api/jobs/1/log/records?from=-3",
    "GET /api/jobs/1/log/records?from=0",
    "GET /api/jobs/1/log/search?q=hello",
    "GET /api/jobs/1/log/search",
    "GET /api/jobs/1/log/marks",
    "GET /api/jobs/1/log/marks?from=0",
    "POST /api/jobs/2/interact/2000001 maybe",
    "POST /api/jobs/2/interact/2000001 y",
    "POST /api/jobs/2/interact/2000001 n",
    "POST /api/jobs/2/interact/2000002 y",
    "POST /api/jobs/2/signal/interrupt",
    "POST /api/jobs/2/signal/kill",
    "POST /api/jobs/2/signal/hangup",
    "POST /api/jobs/1/signal/kill",
    "POST /api/jobs {\"type\":\"greet\",\"params\":{\"name\":\"World\"}}",
    "POST /api/jobs {\"type\":\"greet\",\"params\":{\"name\":1,\"key\":2}}",
    "POST /api/jobs?dry_run=1 {\"type\":\"greet\",\"params\":{\"name\":\"World\",\"key\":\"hunter2\"}}",
    "POST /api/jobs {\"type\":\"unknown\"}",
    "POST /api/jobs {",
    "POST /api/jobs {\"type\":\"backport\",\"params\":{\"change_url\":[7]},\"anyway\":1}",
    "POST /api/jobs/backport?change_url=7&change_url=https://gerrit.test/r/c/8",
    "POST /api/jobs/backport?change_url=I7&change_url=8&change_url=x",
    "POST /api/jobs/backport",
    "GET /api/searchPatch?changeNumOrUrl=7",
    "GET /api/changes?change=7&change=x",
    "GET /api/changes",
    "GET /api/preflight?change=7",
    "POST /api/jobs/1/retry",
    "POST /api/jobs/2/retry",
    "POST /api/jobs/9/retry",
    "GET /api/job-types",
    "GET /api/audit",
    "GET /api/audit?limit=1&event=answer&user=alice&q=DEPLOY&before=99",
    "GET /api/audit?event=none",
    "GET /api/audit?before=-1",
    "GET /api/train/status",
    "GET /api/monitoring/logs/mediawiki",
    "GET /api/monitoring/logs/mediawiki/total",
    "POST /api/jobs/train {\"group\":\"group0\",\"version\":\"1.46.0-wmf.3\",\"oldVersion\":\"1.46.0-wmf.2\",\"excludedWikis\":[\"zuwiki\"]}",
    "POST /api/jobs/train {\"group\":\"group7\",\"version\":1,\"excludedWikis\":[\"a b\"],\"wikis\":[]}",
    "POST /api/runner/pause {\"reason\":\"lunch\"}",
    "POST /api/runner/pause {\"reason\":\"\"}",
    "POST /api/runner/resume",
    "POST /api/logout",
    "POST /api/logoutAll",
    "GET /api/openapi.json",
    "GET /api/events",
    "GET /api/events?log=1",
    "GET /api/events?log=one",
    "GET /api/events?log=9",
    "GET /api/nothing",
    "DELETE /api/jobs",
];

/// Job 1 has finished, 2 waits for an answer, 3 is queued, 4 was rejected. All times are fixed.
fn prepare(bench: &Bench) -> crate::spool::job::LockedJob {
    let mut done = status(1, State::Running);
    let job = bench.claim(&done);
    let mut log = job.log_writer().unwrap();
    log.text(Piece { text: "hello", ..Piece::default() });
    for secret in ["one", "two"] {
        log.text(Piece { text: secret, sensitive: true, ..Piece::default() });
    }
    log.text(Piece { text: "long ", continued: true, ..Piece::default() });
    log.text(Piece { text: "line", continues: true, ..Piece::default() });
    log.record(&RecordKind::Response { user: "bob".into(), response: "y".into(), interaction: 1 });
    log.record(&RecordKind::Signal { user: "bob".into(), signal: "interrupt".into() });
    log.note("a remark");
    log.flush().unwrap();
    done.log_records = log.records();
    done.finish(State::Failed, Outcome::Failed, Some("failed in the phase “Sync”: exited with status 3".into()));
    done.phase = Some("Sync".into());
    done.last_error = Some(LastError { record: 4, line: "an error".into() });
    done.exit_status = Some(3);
    done.finished_at = Some(Time::from_milliseconds(1_003_500));
    bench.finish(&job, &done);
    let mut waiting = status(2, State::Waiting);
    waiting.interaction = Some(prompt(1));
    let waiting = bench.claim(&waiting);
    for number in [3, 4] {
        bench.queue(&request(number));
    }
    sequence::repair(&bench.spool, &bench.runner, 4, 0).unwrap();
    reject::reject(&bench.spool, &bench.runner, "4.json".as_ref(), "why not").unwrap();
    record(bench);
    bench.monitor("train.json", TRAIN);
    bench.monitor("mediawiki.json", ERRORS);
    runner_state("", &[(3, "lane default is busy with job 2 of alice")]).write(&bench.spool, &bench.runner).unwrap();
    waiting
}

/// Two entries of the audit trail.
fn record(bench: &Bench) {
    let audit = bench.audit();
    let entry = |event, user: Option<&str>, details: Value| Entry {
        event,
        user: user.map(str::to_owned),
        address: "192.0.2.1".into(),
        request: Some("request-1".into()),
        details: details.as_object().unwrap().clone(),
    };
    let refused = entry(Event::SignInRefused, None, json!({}));
    let answer =
        entry(Event::Answer, Some("alice"), json!({ "job": 1, "interaction": 1_000_001, "response": "Deploy" }));
    for entry in [refused, answer] {
        audit.append(&entry, Durability::Ordered).unwrap();
    }
}

/// What is different each time.
fn redact(text: &str) -> String {
    let patterns = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"id: [0-9a-f]{32}-\d+", "id: INSTANCE-NUMBER"),
        (r#""(time|finished_at|queued_at)":("[^"]*"|\d{10,}\.\d+)"#, "\"$1\":TIME"),
        // How many refusals are recorded depends on how quick the test is.
        (r#""n":\d+,"time""#, "\"n\":N,\"time\""),
        (r#""more":true,"next":\d+"#, "\"more\":true,\"next\":N"),
        (r#""previous":"[0-9a-f]{64}""#, "\"previous\":SHA-256"),
        (r#""finished_at":\d{10,}\.\d+"#, "\"finished_at\":TIME"),
        (r#""started_at":\d{10,}\.\d+"#, "\"started_at\":TIME"),
        (r"session=[^;]+\.[^;]+;", "session=SECRET;"),
        (r"Max-Age=1[0-9]{6}", "Max-Age=SECONDS"),
        (r"retry-after: [0-9]{3}", "retry-after: SECONDS"),
        (r#""(secret|uri)":"[^"]+""#, "\"$1\":SECRET"),
        (r#""(qr|recovery_codes)":\[[^]]+\]"#, "\"$1\":SECRET"),
        (r#""(id|token)":"[0-9a-f]+""#, "\"$1\":ID"),
        (r#""(created|last_seen|expires)":\d+\.\d+"#, "\"$1\":TIME"),
        (r#""otpHost":"[^"]+""#, "\"otpHost\":HOST"),
        (r"(?m)^(date|content-length): .*\n", ""),
    ];
    patterns.iter().fold(text.to_owned(), |text, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    })
}

/// What was asked and answered.
#[derive(Default)]
struct Conversation {
    text: String,
    /// Of which routes a success is in it.
    succeeded: BTreeSet<(Method, &'static str)>,
}

impl Conversation {
    /// Adds what somebody asks and is answered, and returns that as it is.
    async fn ask(&mut self, address: SocketAddr, who: &str, fields: &str, asked: &str, sent: &str) -> String {
        let answer = plain(&answer(address, fields, sent).await);
        let (method, _) = asked.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let status: u16 = answer[9..12].parse().unwrap();
        if let Ok((route, _)) = find(ROUTES, &method, sent.split([' ', '?']).nth(1).unwrap()) {
            schema::check(route, status, &answer);
            check_stream(route, status, &answer);
            if status < 400 {
                self.succeeded.insert((method, route.path));
            }
        }
        self.text.extend([who, "> ", asked, "\n", redact(&answer).trim_end(), "\n\n"]);
        answer
    }
}

/// Whatever has no known length asks proxies to let it through at once and as it is.
fn check_stream(route: &Route, status: u16, answer: &str) {
    let head = answer.split("\n\n").next().unwrap();
    let is_stream = head.contains("transfer-encoding: chunked");
    let asks = head.contains("x-accel-buffering: no") && head.contains("no-transform");
    assert_eq!(is_stream, asks, "{} {}: {head}", route.method, route.path);
    let streams = |(_, content): &(u16, Content)| matches!(content, Content::JsonLines(_) | Content::Events);
    assert!(is_stream || status >= 300 || !route.responses.iter().any(streams), "{} is no stream", route.path);
}

/// The answer as it comes over the wire, or what of it comes if it does not end.
async fn answer(address: SocketAddr, fields: &str, asked: &str) -> String {
    let mut words = asked.splitn(3, ' ');
    let (method, path, body) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
    let mut client = Client::connect(address).await;
    let fields = format!("Host: localhost\r\nConnection: close\r\n{fields}Content-Length: {}\r\n", body.len());
    client.write(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n{body}")).await;
    match path {
        // They do not end.
        "/api/events" => client.read_until("}\n\n").await,
        "/api/events?log=1" => client.read_until("\"complete\":true}\n\n").await,
        // What is in these is looked at elsewhere.
        "/api/openapi.json" | "/metrics" | "/favicon.ico" => client.read_until("\r\n\r\n").await,
        _ => client.read_to_end().await,
    }
}

/// Without the marks of chunks, whose places are nobody's business, and with simple line ends.
fn plain(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    if !head.contains("chunked") {
        return format!("{head}\n\n{rest}").replace("\r\n", "\n");
    }
    let mut body = String::new();
    while let Some((length, behind)) = rest.split_once("\r\n") {
        let end = usize::from_str_radix(length, 16).unwrap().min(behind.len());
        body.push_str(&behind[..end]);
        rest = behind[end..].trim_start_matches("\r\n");
    }
    format!("{head}\n\n{body}").replace("\r\n", "\n")
}

#[tokio::test]
async fn every_route_answers_as_other_programs_expect() {
    let bench = Bench::new();
    let _waiting = prepare(&bench);
    let app = bench.app();
    until(|| (1..=4).all(|number| app.mirror.view().get(job_id(number)).is_some())).await;
    let address = Bench::serve(app).await;
    let mut open = Conversation::default();
    for asked in REQUESTS {
        open.ask(address, "", "", asked, asked).await;
    }
    insta::assert_snapshot!(open.text);
    let guarded = signing_in::conversation().await;
    insta::assert_snapshot!("signing_in", guarded.text);
    let shown = |route: &&Route| {
        [&open, &guarded].iter().any(|all| all.succeeded.contains(&(route.method.clone(), route.path)))
    };
    let missing: Vec<_> =
        ROUTES.iter().filter(|route| !shown(route)).map(|route| (&route.method, route.path)).collect();
    assert!(missing.is_empty(), "no success is shown of {missing:?}");
}
