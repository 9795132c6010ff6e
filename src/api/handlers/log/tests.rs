mod reveals;

use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::accounts::presented::Presented;
use crate::accounts::testing::People;
use crate::api::testing::{Bench, Client, job_id, request, soon, status, until};
use crate::http::body;
use crate::http::body::Body;
use crate::protocol::Piece;
use crate::spool::job::LockedJob;
use crate::spool::log::{LogWriter, RecordKind};
use crate::spool::outcome::Outcome;
use crate::spool::status::State;
use crate::spool::{atomic, reject};

/// How much of a log is read at a time.
const PORTION: usize = 32 * 1024;

/// What marks the end of a stream that was ended, and not cut off.
const END: &str = "0\r\n\r\n";

pub(crate) async fn known(app: App) -> App {
    until(|| app.mirror.view().ending(job_id(1)) != Ending::NoSuchJob).await;
    app
}

async fn follow_in(app: App, query: &str) -> Client {
    let app = known(app).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.write(format!("GET /api/jobs/1/log{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    let kind = if query.contains("format=text") { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    assert!(head.contains("200 OK") && head.contains(kind), "{head}");
    client
}

pub(crate) async fn follow(bench: &Bench, query: &str) -> Client {
    follow_in(bench.app(), query).await
}

/// What is left of a stream, without the marks of its chunks.
pub async fn rest(client: &mut Client) -> Vec<String> {
    let text = client.read_until(END).await;
    text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

/// What is answered about the log of job 1, as JSON lines.
pub async fn answer(app: App, asked: &str) -> Vec<Value> {
    let app = known(app).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.write(format!("GET /api/jobs/1/log/{asked} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = client.read_until("\r\n\r\n").await;
    assert!(head.contains("200 OK") && head.contains("application/octet-stream"), "{head}");
    rest(&mut client).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is left of a stream, as it was before it was cut into chunks.
async fn unchunked(client: &mut Client) -> String {
    let mut text = String::new();
    loop {
        let length = client.read_until("\r\n").await;
        let length = usize::from_str_radix(length.trim_end(), 16).unwrap();
        let chunk = client.read_exactly(length + 2).await;
        if length == 0 {
            return text;
        }
        text.push_str(chunk.strip_suffix("\r\n").unwrap());
    }
}

/// A job that runs, with its log.
pub fn running(bench: &Bench) -> (LockedJob, LogWriter) {
    let job = bench.claim(&status(1, State::Running));
    let log = job.log_writer().unwrap();
    (job, log)
}

/// Ends a job with the log that it has.
pub fn end(bench: &Bench, job: &LockedJob, log: &mut LogWriter) {
    log.finish().unwrap();
    let mut status = status(1, State::Running);
    status.finish(State::Succeeded, Outcome::Succeeded, None);
    status.log_records = log.records();
    bench.finish(job, &status);
}

/// A job that has ended, with 100 lines that are more than is looked at in one turn.
pub fn end_with_much(bench: &Bench) {
    let (job, mut log) = running(bench);
    let text = "x".repeat(60_000);
    (0..100).for_each(|_| log.text(line(&text)));
    end(bench, &job, &mut log);
}

fn line(text: &str) -> Piece<'_> {
    Piece { text, ..Piece::default() }
}

/// One of everything that a log can have, and lines in all kinds of pieces.
pub fn write_everything(log: &mut LogWriter) {
    log.text(line("plain \"text\" é\t\\"));
    log.text(Piece { sensitive: true, ..line("hunter2") });
    log.text(Piece { sensitive: true, ..line("hunter3") });
    log.text(Piece { continued: true, ..line("a long ") });
    log.record(&RecordKind::Status { status: Some("Syncing".into()) });
    log.text(Piece { continues: true, ..line("line") });
    log.text(Piece { partial: true, ..line("Password: ") });
    log.text(Piece { continues: true, sensitive: true, ..line("hunter4") });
    log.text(Piece { partial: true, ..line("10%") });
    log.text(Piece { partial: true, rewrites: true, ..line("50%") });
    log.text(Piece { continues: true, rewrites: true, ..line("100%") });
    log.record(&RecordKind::Response { user: "alice".into(), response: "y".into(), interaction: 1 });
    log.record(&RecordKind::Signal { user: "bob".into(), signal: "interrupt".into() });
    log.note("stopped");
    log.text(Piece { partial: true, ..line("never ended") });
}

fn body_of(app: &Arc<App>, form: Form, told: u64) -> Body {
    let mut viewer = app.logs.watch(job_id(1), form, told);
    let manner = app.stream(&app.auth.identify(&Presented::default(), crate::spool::Time::now())).unwrap();
    body::produce(manner, |mut pieces| async move {
        while let Update::Piece(piece) = viewer.next().await.unwrap() {
            pieces.send(piece).await;
        }
        Ok(())
    })
}

async fn frame(body: &mut Body) -> String {
    let frame = soon(body.frame()).await.expect("there is more").unwrap();
    String::from_utf8(frame.into_data().unwrap().into()).unwrap()
}

const LINES: Form = Form::Lines { include_sensitive: false };

#[tokio::test]
async fn a_job_is_followed_from_the_queue_to_its_end() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = follow(&bench, "").await;
    client.read_until("{\"type\":\"connected\",\"recno\":0}\n").await;
    client.read_until("{\"type\":\"waitingForLogfile\",\"recno\":0}\n").await;

    let mut status = status(1, State::Running);
    let job = bench.claim(&status);
    let mut log = job.log_writer().unwrap();
    for line in ["one", "two"] {
        log.note(line);
        log.flush().unwrap();
        client.read_until(&format!("[Jobrunner: {line}]")).await;
    }
    log.note("last");
    log.flush().unwrap();
    status.finish(State::Succeeded, Outcome::Succeeded, None);
    status.log_records = log.records();
    bench.finish(&job, &status);
    let rest = rest(&mut client).await;
    assert_eq!(rest.last().unwrap(), "{\"type\":\"EOF\",\"recno\":3}");
    assert!(rest.iter().any(|line| line.contains("last")), "{rest:?}");
}

#[tokio::test]
async fn a_stored_log_of_many_chunks_comes_whole_and_can_be_resumed() {
    let bench = Bench::new();
    let mut status = status(1, State::Running);
    let job = bench.claim(&status);
    let mut log = job.log_writer().unwrap();
    for number in 1..=20_000 {
        log.note(format!("line {number}"));
    }
    log.flush().unwrap();
    status.finish(State::Succeeded, Outcome::Succeeded, None);
    bench.finish(&job, &status);
    let mut client = follow(&bench, "").await;
    let lines = rest(&mut client).await;
    assert_eq!(lines.len(), 20_002);
    let line = serde_json::from_str::<serde_json::Value>(&lines[12_345]).unwrap();
    assert_eq!(line, json!({ "type": "line", "line": "[Jobrunner: line 12345]", "recno": 12_345 }));

    let mut client = follow(&bench, "?resume_record=19999").await;
    assert_eq!(
        rest(&mut client).await,
        [
            "{\"type\":\"connected\",\"recno\":19999}",
            "{\"type\":\"line\",\"line\":\"[Jobrunner: line 20000]\",\"recno\":20000}",
            "{\"type\":\"EOF\",\"recno\":20000}",
        ]
    );
    let mut client = follow(&bench, "?resume_record=30000").await;
    assert_eq!(
        rest(&mut client).await,
        ["{\"type\":\"connected\",\"recno\":30000}", "{\"type\":\"EOF\",\"recno\":30000}"]
    );
}

#[tokio::test]
async fn what_never_had_a_log_is_at_its_end() {
    let ends = ["{\"type\":\"connected\",\"recno\":0}", "{\"type\":\"EOF\",\"recno\":0}"];
    let bench = Bench::new();
    bench.queue(&request(1));
    reject::reject(&bench.spool, &bench.runner, "1.json".as_ref(), "why not").unwrap();
    assert_eq!(rest(&mut follow(&bench, "").await).await, ends);

    let bench = Bench::new();
    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    status.finish(State::Cancelled, Outcome::Cancelled, None);
    job.write_final_status(&status).unwrap();
    assert_eq!(rest(&mut follow(&bench, "?include_sensitive=true").await).await, ends);
}

#[tokio::test]
async fn a_job_that_is_taken_out_of_the_queue_ends_its_stream_without_eof() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = follow(&bench, "").await;
    client.read_until("waitingForLogfile").await;
    crate::spool::queue::remove(&bench.spool, job_id(1)).unwrap();
    assert_eq!(rest(&mut client).await, Vec::<String>::new());
}

#[tokio::test]
async fn waiting_is_said_once() {
    let bench = Bench::new();
    let app = Arc::new(
        known({
            bench.queue(&request(1));
            bench.app()
        })
        .await,
    );
    let mut body = body_of(&app, LINES, 0);
    assert_eq!(frame(&mut body).await, "{\"type\":\"connected\",\"recno\":0}\n");
    assert_eq!(frame(&mut body).await, "{\"type\":\"waitingForLogfile\",\"recno\":0}\n");
    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    until(|| matches!(app.mirror.view().get(job_id(1)), Some(crate::mirror::Entry::Claimed(_)))).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), body.frame()).await.is_err(), "nothing new");
    status.finish(State::Cancelled, Outcome::Cancelled, None);
    job.write_final_status(&status).unwrap();
    assert_eq!(frame(&mut body).await, "{\"type\":\"EOF\",\"recno\":0}\n");
    assert!(soon(body.frame()).await.is_none());
}

#[tokio::test]
async fn who_comes_back_gets_the_rest_and_nothing_twice() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    write_everything(&mut log);
    log.text(line("next"));
    write_everything(&mut log);
    log.record(&RecordKind::Status { status: None });
    end(&bench, &job, &mut log);
    let records = log.records();
    let number = |line: &String| serde_json::from_str::<Value>(line).unwrap()["recno"].as_u64().unwrap();
    for include_sensitive in [false, true] {
        let query = format!("?include_sensitive={include_sensitive}");
        let whole = rest(&mut follow(&bench, &query).await).await;
        // Where a client can be, and one that is somewhere else altogether.
        for resume in whole[..whole.len() - 1].iter().map(number).chain([records + 1]) {
            let lines = rest(&mut follow(&bench, &format!("{query}&resume_record={resume}")).await).await;
            assert_eq!(lines[0], format!("{{\"type\":\"connected\",\"recno\":{resume}}}"));
            let last = format!("{{\"type\":\"EOF\",\"recno\":{}}}", resume.max(records));
            assert_eq!(lines.last(), Some(&last));
            let expected: Vec<_> = whole[1..whole.len() - 1].iter().filter(|line| number(line) > resume).collect();
            assert_eq!(lines[1..lines.len() - 1].iter().collect::<Vec<_>>(), expected, "after {resume}");
        }
    }
}

#[tokio::test]
async fn a_note_after_the_end_is_part_of_the_log() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    log.text(line("last"));
    end(&bench, &job, &mut log);
    log.note("too late");
    log.finish().unwrap();
    let lines = rest(&mut follow(&bench, "").await).await;
    assert!(lines[2].contains("too late"), "{lines:?}");
    assert_eq!(lines[3], "{\"type\":\"EOF\",\"recno\":2}");
}

#[tokio::test]
async fn a_stream_ends_with_its_time_or_the_service_and_without_eof() {
    let bench = Bench::new();
    let (_job, mut log) = running(&bench);
    log.note("one");
    log.flush().unwrap();
    let mut app = bench.app();
    app.limits.stream = Duration::from_millis(200);
    assert!(!rest(&mut follow_in(app, "").await).await.concat().contains("EOF"));

    let app = bench.app();
    let shutdown = app.shutdown.clone();
    let mut client = follow_in(app, "").await;
    client.read_until("one").await;
    shutdown.cancel();
    assert_eq!(rest(&mut client).await, Vec::<String>::new());
}

#[tokio::test]
async fn plain_text_is_what_output_log_has() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    for _ in 0..500 {
        write_everything(&mut log);
    }
    let mut client = {
        log.flush().unwrap();
        follow(&bench, "?format=text").await
    };
    end(&bench, &job, &mut log);
    let output = std::fs::read_to_string(job.directory().join("output.log")).unwrap();
    assert!(output.contains("a long line\n") && !output.contains("hunter") && output.ends_with("never ended\n"));
    assert_eq!(unchunked(&mut client).await, output, "followed to its end");
    assert_eq!(unchunked(&mut follow(&bench, "?format=text").await).await, output, "and later");
}

#[tokio::test]
async fn plain_text_has_its_last_chunk_if_it_is_the_whole_log_and_only_then() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let (job, mut log) = running(&bench);
    log.note("one");
    log.flush().unwrap();

    let mut app = bench.app();
    app.limits.stream = Duration::from_millis(100);
    assert!(!follow_in(app, "?format=text").await.read_to_end().await.contains(END), "its time is over");

    let app = bench.app();
    let shutdown = app.shutdown.clone();
    let mut client = follow_in(app, "?format=text").await;
    client.read_until("[one]\n").await;
    shutdown.cancel();
    assert!(!client.read_to_end().await.contains(END), "the service stops");

    let cookie = people.signed_in("user");
    let mut client = Client::connect(Bench::serve(known(people.app(&bench)).await).await).await;
    client.write(format!("GET /api/jobs/1/log?format=text HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n")).await;
    client.read_until("[one]\n").await;
    people.sessions().end(|_, _| true).unwrap();
    people.tell();
    assert!(!client.read_to_end().await.contains(END), "its session has ended");

    end(&bench, &job, &mut log);
    let mut client = follow(&bench, "?format=text").await;
    assert_eq!(unchunked(&mut client).await, "[one]\n");
    assert_eq!(client.ask("GET /api/whoami").await.status, 200, "the connection goes on");

    atomic::remove(&job.directory().join("log.jsonl")).unwrap();
    atomic::create_directory(&job.directory().join("log.jsonl"), 0o750).unwrap();
    assert!(!follow(&bench, "?format=text").await.read_to_end().await.contains(END), "it cannot be read");

    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = follow(&bench, "?format=text").await;
    crate::spool::queue::remove(&bench.spool, job_id(1)).unwrap();
    assert!(!client.read_to_end().await.contains(END), "there is no such job any more");
}

#[tokio::test]
async fn a_silent_log_shows_that_it_lives_to_those_who_ask_for_it() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    log.note("one");
    log.flush().unwrap();
    let app = || {
        let mut app = bench.app();
        app.limits.heartbeat = Duration::from_millis(1);
        app
    };
    let mut client = follow_in(app(), "?heartbeat=true").await;
    let mut quiet = follow_in(app(), "?heartbeat=false").await;
    client.read_until("one").await;
    for _ in 0..3 {
        client.read_until("\r\n{\"type\":\"heartbeat\"}\n\r\n").await;
    }
    end(&bench, &job, &mut log);
    client.read_until("EOF").await;
    assert!(!quiet.read_until("EOF").await.contains("heartbeat"));
}

#[tokio::test]
async fn plain_text_cannot_have_everything() {
    let bench = Bench::new();
    let (_job, _log) = running(&bench);
    let mut client = Client::connect(Bench::serve(known(bench.app()).await).await).await;
    for query in
        ["format=html", "format=text&include_sensitive=1", "format=text&resume_record=1", "format=text&heartbeat=1"]
    {
        let reply = client.ask(&format!("GET /api/jobs/1/log?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
    }
    let reply = client.ask("GET /api/jobs/1/log?format=text&include_sensitive=true").await;
    assert_eq!(reply.json()["detail"][0]["loc"], json!(["query", "include_sensitive"]));
}

#[tokio::test]
async fn nothing_is_read_for_a_viewer_who_does_not_read() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    for _ in 0..10_000 {
        log.text(line("before"));
    }
    end(&bench, &job, &mut log);
    let app = Arc::new(known(bench.app()).await);
    let mut body = body_of(&app, LINES, 0);
    frame(&mut body).await;
    let portion = frame(&mut body).await;
    assert!(portion.len() < PORTION);
    // Whatever is read from now on says something else.
    let path = job.directory().join("log.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let file = atomic::open_update(&path).unwrap();
    file.write_all_at(text[PORTION..].replace("before", "after!").as_bytes(), PORTION as u64).unwrap();
    let next = frame(&mut body).await;
    assert_eq!(next.matches("before").count(), usize::from(next.lines().next().unwrap().contains("before")));
    assert!(next.contains("after!"));
}

#[tokio::test]
async fn a_viewer_who_does_not_read_keeps_nobody_waiting_and_goes_without_a_trace() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    let text = "x".repeat(60_000);
    for _ in 0..200 {
        log.text(line(&text));
    }
    end(&bench, &job, &mut log);
    let app = Arc::new(known(bench.app()).await);
    let alone = Arc::strong_count(&app.logs);
    let (listener, address) = crate::api::testing::listener().await;
    let server =
        tokio::spawn(crate::api::front::serve(vec![listener], Arc::clone(&app), crate::api::testing::server_limits()));
    let ask = "GET /api/jobs/1/log HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stuck = Vec::new();
    for _ in 0..2 * crate::logs::TURNS {
        let mut client = Client::connect(address).await;
        client.write(ask).await;
        client.read_until("connected").await;
        stuck.push(client);
    }
    let mut reading = Client::connect(address).await;
    reading.write(ask).await;
    assert_eq!(rest(&mut reading).await.len(), 202);
    drop((stuck, reading));
    until(|| Arc::strong_count(&app.logs) == alone).await;
    app.shutdown.cancel();
    soon(server).await.unwrap();
}

/// Something that happens while a log is watched.
#[derive(Clone, Debug)]
enum Event {
    Text(&'static str, u8),
    Note,
    Many(usize),
    Pull(usize),
    Come(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (prop_oneof![Just("a"), Just("b")], any::<u8>()).prop_map(|(text, flags)| Event::Text(text, flags)),
        1 => Just(Event::Note),
        1 => (1..1500_usize).prop_map(Event::Many),
        4 => (0..8_usize).prop_map(Event::Pull),
        2 => any::<bool>().prop_map(Event::Come),
    ];
    proptest::collection::vec(event, 1..60)
}

/// Lets viewers come and read as they like while a log grows, and returns what each of them got, and the reference.
async fn watch(events: &[Event]) -> Vec<(bool, String)> {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    let app = Arc::new(known(bench.app()).await);
    let mut viewers: Vec<(bool, Body, String)> = Vec::new();
    let come =
        |sensitive: bool| (sensitive, body_of(&app, Form::Lines { include_sensitive: sensitive }, 0), String::new());
    for event in events {
        match event {
            Event::Text(text, flags) => log.text(Piece {
                text,
                sensitive: flags & 1 > 0,
                continued: flags & 2 > 0,
                partial: flags & 4 > 0,
                continues: flags & 8 > 0,
                rewrites: flags >> 4 & 3 == 3,
            }),
            Event::Note => log.note("note"),
            Event::Many(count) => (0..*count).for_each(|_| log.text(line("one of many"))),
            Event::Come(sensitive) => viewers.push(come(*sensitive)),
            Event::Pull(number) => {
                if let Some((_, body, text)) = viewers.get_mut(*number) {
                    while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_millis(2), body.frame()).await {
                        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
                        if text.len() % 3 == 0 {
                            break;
                        }
                    }
                }
            }
        }
        log.flush().unwrap();
    }
    end(&bench, &job, &mut log);
    viewers.extend([come(false), come(true)]);
    let mut told = Vec::new();
    for (sensitive, mut body, mut text) in viewers {
        while let Some(frame) = soon(body.frame()).await {
            text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
        told.push((sensitive, text));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn all_viewers_see_the_same_whenever_they_come_and_read(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(watch(&events));
        let whole = |sensitive| told.iter().rfind(|(other, _)| *other == sensitive).map(|(_, text)| text).unwrap();
        for (sensitive, text) in &told {
            // Who comes before the log is there is told so.
            let text = text.replace("{\"type\":\"waitingForLogfile\",\"recno\":0}\n", "");
            prop_assert_eq!(&text, whole(*sensitive));
        }
    }
}

#[tokio::test]
async fn who_falls_behind_what_the_tail_keeps_misses_nothing() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    log.note("first");
    log.flush().unwrap();
    let app = Arc::new(known(bench.app()).await);
    let (mut fast, mut slow) = (body_of(&app, LINES, 0), body_of(&app, LINES, 0));
    let mut texts = [String::new(), String::new()];
    for body in [&mut fast, &mut slow] {
        while !frame(body).await.contains("first") {}
        // Both are at the end now, and wait there.
        assert!(tokio::time::timeout(Duration::from_millis(20), body.frame()).await.is_err());
    }
    for number in 0..700 {
        log.note(format!("number {number}"));
        log.flush().unwrap();
        texts[0].push_str(&frame(&mut fast).await);
    }
    end(&bench, &job, &mut log);
    for (text, body) in texts.iter_mut().zip([&mut fast, &mut slow]) {
        while let Some(piece) = soon(body.frame()).await {
            text.push_str(std::str::from_utf8(&piece.unwrap().into_data().unwrap()).unwrap());
        }
    }
    assert_eq!(texts[0].lines().count(), 701);
    assert_eq!(texts[0], texts[1]);
}
