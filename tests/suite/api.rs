//! The HTTP front on a real spool with a real runner, and what becomes of it when either is killed.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::sync::Barrier;

use fs2::FileExt as _;
use serde_json::{Value, json};
use spiderpig::spool::status::State;

use crate::client::{read_stream, start};
use crate::support::{ASK, DEADLINE, TestSpool, wait_until};

fn lines(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["line"].as_str()).collect()
}

#[test]
fn a_job_is_created_followed_answered_and_read_back() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = api.create(&format!("{ASK} echo hello; ask sure; exit 3"));
    let followed = std::thread::scope(|scope| {
        let follower = scope.spawn(|| api.log(id, 0));
        api.wait_prompt(id, 1);
        let (_, status) = api.get("/api/jobrunner/status");
        assert_eq!(status["status"], format!("Running job {id}, awaiting user interaction"));
        assert_eq!(api.answer(id, 1, "maybe").0, 400);
        assert_eq!(api.answer(id, 1, "y").0, 200);
        let (code, conflict) = api.answer(id, 1, "n");
        assert!(code == 409 && conflict["detail"]["responded_by"] == "tester", "{code} {conflict}");
        follower.join().unwrap()
    });
    assert_eq!(lines(&followed), ["hello", "sure [y/n]: ", "got:y"]);
    assert_eq!(followed.last().unwrap()["type"], "EOF");
    let stored: Vec<Value> = api.log(id, 0);
    let told =
        |records: &[Value]| records.iter().filter(|r| r["type"] != "waitingForLogfile").cloned().collect::<Vec<_>>();
    assert_eq!(told(&stored), told(&followed), "read back afterwards it is the same");
    let (_, job) = api.get(&format!("/api/jobs/{id}"));
    assert_eq!((&job["job"]["exit_status"], &job["job"]["state"]), (&json!(3), &json!("failed")));
    let (code, refused) = api.post(&format!("/api/jobs/{id}/signal/kill"), "");
    assert_eq!(code, 409, "{refused}");
}

#[test]
fn of_a_hundred_answers_one_wins_and_the_others_learn_who() {
    for next_prompt_at_once in [true, false] {
        let spool = TestSpool::new();
        let _runner = spool.runner();
        let api = start(&spool);
        let then = if next_prompt_at_once { "ask again" } else { "sleep 600" };
        let id = api.create(&format!("{ASK} ask sure; {then}"));
        api.wait_prompt(id, 1);
        let barrier = Barrier::new(100);
        let replies: Vec<(u16, Value)> = std::thread::scope(|scope| {
            let client = || {
                barrier.wait();
                api.answer(id, 1, "y")
            };
            let clients: Vec<_> = (0..100).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let mut codes: BTreeMap<u16, usize> = BTreeMap::new();
        for (code, reply) in &replies {
            *codes.entry(*code).or_default() += 1;
            assert!(*code != 409 || reply["detail"]["responded_by"] == "tester", "{reply}");
        }
        assert_eq!(codes.get(&200), Some(&1), "{codes:?}");
        assert!(codes.keys().all(|code| [200, 404, 409].contains(code)), "{codes:?}");
        let job = id.try_into().unwrap();
        wait_until("the answer is delivered", || spool.lines(job).contains(&"got:y".to_owned()));
        assert_eq!(spool.lines(job).iter().filter(|line| *line == "got:y").count(), 1);
        assert!(spool.notes(job).is_empty(), "no accepted answer was refused: {:?}", spool.notes(job));
    }
}

#[test]
fn the_api_killed_in_the_middle_of_a_job_misses_nothing() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = api.create(&format!("{ASK} seq 500; ask one; seq 501 1000; ask two; exit 4"));
    api.wait_prompt(id, 1);
    let before = std::thread::scope(|scope| {
        let stream = api.follow(id, 0);
        let follower = scope.spawn(|| read_stream(stream));
        wait_until("half of the log is stored", || spool.lines(id.try_into().unwrap()).len() > 500);
        crate::support::kill_process(api.daemon.pid());
        follower.join().unwrap()
    });
    assert!(before.iter().all(|record| record["type"] != "EOF"), "an end without EOF means: come back");
    let resume = before.iter().filter_map(|record| record["recno"].as_u64()).max().unwrap_or_default();

    let restarted = start(&spool);
    restarted.wait_prompt(id, 1);
    assert_eq!(restarted.answer(id, 1, "y").0, 200);
    restarted.wait_prompt(id, 2);
    assert_eq!(restarted.answer(id, 2, "n").0, 200);
    let after = restarted.log(id, resume);
    let mut all = lines(&before);
    all.extend(lines(&after));
    let mut expected: Vec<String> = (1..=500).map(|number: u32| number.to_string()).collect();
    expected.extend(["one [y/n]: ".into(), "got:y".into()]);
    expected.extend((501..=1000).map(|number: u32| number.to_string()));
    expected.extend(["two [y/n]: ".into(), "got:n".into()]);
    assert_eq!(all, expected);
    assert_eq!(spool.wait_final(id.try_into().unwrap()).exit_status, Some(4));
}

#[test]
fn both_daemons_killed_at_a_prompt_and_the_job_goes_on() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let api = start(&spool);
    let id = api.create(&format!("{ASK} ask one; ask two; exit 5"));
    api.wait_prompt(id, 1);
    runner.kill();
    api.daemon.kill();
    let api = start(&spool);
    assert_eq!(api.answer(id, 1, "y").0, 200, "answered while there is no runner");
    api.wait_prompt(id, 2);
    assert_eq!(api.get("/api/jobrunner/status").1["status"], "Jobrunner not running");
    let _runner = spool.runner();
    assert_eq!(api.answer(id, 2, "n").0, 200);
    let status = spool.wait_final(id.try_into().unwrap());
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(5)));
    assert_eq!(lines(&api.log(id, 0)), ["one [y/n]: ", "got:y", "two [y/n]: ", "got:n"]);
}

#[test]
fn a_queued_job_is_told_why_it_waits_and_can_be_cancelled() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let first = api.create(&format!("{ASK} ask go"));
    api.wait_prompt(first, 1);
    let second = api.create("true");
    wait_until("the reason is told", || {
        let (_, job) = api.get(&format!("/api/jobs/{second}"));
        job["job"]["waiting_for"] == format!("lane default is busy with job {first} of tester")
    });
    assert_eq!(api.post(&format!("/api/jobs/{second}/signal/interrupt"), "").0, 200);
    wait_until("it is cancelled", || {
        let (_, job) = api.get(&format!("/api/jobs/{second}"));
        job["job"]["state"] == "cancelled" && job["job"]["cancelled_by"] == "tester"
    });
    assert_eq!(api.log(second, 0).last().unwrap()["type"], "EOF");
}

#[test]
fn what_cannot_be_made_durable_is_not_accepted() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let sequence = std::fs::File::open(spool.root().join("sequence")).unwrap();
    sequence.lock_exclusive().unwrap();
    let body = json!({ "type": "noop", "params": {} }).to_string();
    let (code, refused) = api.post("/api/jobs", &body);
    assert_eq!(code, 503, "{refused}");
    assert_eq!(api.get("/api/jobs").1["jobs"], json!([]));
    drop(sequence);
    assert_eq!(api.post("/api/jobs", &body).0, 201);
}

#[test]
fn a_rejected_job_is_listed_with_its_reason() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = spool.submit("no-such-type", json!({}));
    wait_until("it is listed", || {
        let (_, job) = api.get(&format!("/api/jobs/{id}"));
        job["job"]["state"] == "rejected"
            && job["job"]["reason"].as_str().is_some_and(|reason| reason.contains("`no-such-type` is not declared"))
    });
    assert_eq!(api.log(id.into(), 0).last().unwrap()["type"], "EOF");
}

#[test]
fn open_streams_do_not_hold_up_the_end_of_the_api() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = api.create("echo up; sleep 600");
    let mut stream = api.follow(id, 0);
    let mut line = String::new();
    while !line.contains("\"up\"") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0);
    }
    let started = std::time::Instant::now();
    assert!(api.daemon.terminate().success());
    // A stream may last an hour.
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
    let rest: Vec<String> = stream.lines().map_while(Result::ok).collect();
    assert!(rest.iter().all(|line| !line.contains("EOF")), "{rest:?}");
}

#[test]
fn a_killed_runner_is_missed_and_a_new_one_seen() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let api = start(&spool);
    let status = || api.get("/api/jobrunner/status").1["status"].clone();
    let is_ok = || api.get("/healthz").1["status"] == "ok";
    wait_until("the runner is seen", || status() == "idle" && is_ok());
    runner.kill();
    wait_until("its end is told", || status() == "Jobrunner not running");
    assert!(!is_ok());
    let _runner = spool.runner();
    wait_until("the new one is told of", || status() == "idle" && is_ok());
}
