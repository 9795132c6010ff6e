//! What is submitted and asked over HTTP, where more than one process matters.

use std::collections::BTreeSet;

use fs2::FileExt as _;
use serde_json::{Value, json};
use spiderpig::spool::status::State;

use crate::client::{self, Api};
use crate::support::{ASK, TestSpool, wait_until};

fn script(script: &str) -> String {
    json!({ "type": "sh", "params": { "script": script } }).to_string()
}

/// The jobs whose script is this one, wherever they are.
fn jobs_with(api: &Api, script: &str) -> Vec<u64> {
    let jobs = api.get("/api/jobs?limit=500").1["jobs"].take();
    let with = |job: &&Value| job["params"]["script"] == script;
    jobs.as_array().unwrap().iter().filter(with).filter_map(|job| job["id"].as_u64()).collect()
}

/// What an API that broke at one of its writes made of a request.
struct Broken {
    /// The status that it answered with, if it lived to answer.
    answered: Option<u16>,
    /// Whether the job was submitted.
    submitted: bool,
}

/// Sends a request to an API that breaks at write `at`, and then to one that does not: there is one job.
fn send_twice(spool: &TestSpool, healthy: &Api, at: u32, effect: &str) -> Broken {
    let context = format!("api={at}:{effect}");
    let mut command = spool.command("spiderpig-api");
    command.env("SPIDERPIG_FAULT", &context).args(["--listen", "127.0.0.1:0"]);
    let faulty = client::start_as(spool, &mut command);
    let echo = format!("echo {context}");
    let first = faulty.post_once("/api/jobs", &context, &script(&echo));
    faulty.daemon.kill();
    let before = highest_number(spool);
    let (code, again) = healthy.post_once("/api/jobs", &context, &script(&echo)).unwrap();
    assert_eq!(code, 201, "{context}: {again}");
    let id = again["id"].as_u64().unwrap();
    assert_eq!(spool.wait_final(id.try_into().unwrap()).state, State::Succeeded, "{context}");
    wait_until("the job is listed", || !jobs_with(healthy, &echo).is_empty());
    assert_eq!(jobs_with(healthy, &echo), [id], "{context}");
    match &first {
        Some((201, created)) => assert_eq!(*created, again, "{context}"),
        Some((code, refused)) => assert!([500, 503].contains(code), "{context}: {code} {refused}"),
        None => assert_eq!(effect, "die", "{context}"),
    }
    Broken { answered: first.map(|(code, _)| code), submitted: id <= before }
}

/// The last number handed out.
fn highest_number(spool: &TestSpool) -> u64 {
    spiderpig::spool::sequence::last(&spool.spool()).unwrap()
}

#[test]
fn an_api_that_breaks_at_any_write_starts_no_job_twice_and_loses_none() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let healthy = client::start(&spool);
    let mut writes = 0;
    let mut unanswered = Vec::new();
    for at in 1.. {
        let broken = send_twice(&spool, &healthy, at, "die");
        if broken.answered.is_some() {
            break;
        }
        writes = at;
        unanswered.push(broken.submitted);
    }
    assert!(writes > 6, "only {writes} writes were broken");
    assert!(unanswered.contains(&true), "no death was between queueing and answering");
    let failed = (1..=writes).filter(|at| send_twice(&spool, &healthy, *at, "fail").answered != Some(201)).count();
    assert!(failed > 4, "only {failed} writes failed");
}

#[test]
fn many_clients_of_two_apis_with_one_key_get_one_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let apis = [client::start(&spool), client::start(&spool)];
    let ids: BTreeSet<u64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..40)
            .map(|number: usize| {
                let api = &apis[number % 2];
                scope.spawn(move || api.post_once("/api/jobs", "one", &script("echo once")).unwrap())
            })
            .collect();
        let ids = clients.into_iter().map(|client| {
            let (code, created) = client.join().unwrap();
            assert_eq!(code, 201, "{created}");
            created["id"].as_u64().unwrap()
        });
        ids.collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    for api in apis {
        api.daemon.kill();
    }
    let restarted = client::start(&spool);
    let (code, again) = restarted.post_once("/api/jobs", "one", &script("echo once")).unwrap();
    assert_eq!((code, again["id"].as_u64()), (201, ids.first().copied()));
    assert_eq!(restarted.post_once("/api/jobs", "one", &script("echo other")).unwrap().0, 422);
}

#[test]
fn a_finished_job_is_tried_again_and_one_that_runs_is_not() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = client::start(&spool);
    let id = api.create(&format!("{ASK} ask sure; exit 3"));
    api.wait_prompt(id, 1);
    let (code, refused) = api.post(&format!("/api/jobs/{id}/retry"), "");
    assert_eq!((code, refused["detail"]["message"].as_str()), (400, Some("The job has not finished")));
    assert_eq!(api.answer(id, 1, "y").0, 200);
    spool.wait_final(id.try_into().unwrap());
    wait_until("it is known to have finished", || api.get(&format!("/api/jobs/{id}")).1["job"]["state"] == "failed");
    let path = format!("/api/jobs/{id}/retry");
    let (code, created) = api.post_once(&path, "again", "").unwrap();
    assert_eq!(code, 200, "{created}");
    let second = created["id"].as_u64().unwrap();
    assert_eq!(api.post_once(&path, "again", "{}").unwrap().1, created, "sent twice");
    api.wait_prompt(second, 1);
    let (_, job) = api.get(&format!("/api/jobs/{second}"));
    assert_eq!((&job["job"]["retry_of"], &job["job"]["user"]), (&json!(id), &json!("tester")));
}

#[test]
fn the_runner_is_paused_and_resumed_over_http() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let api = client::start(&spool);
    let (code, asked) = api.post("/api/runner/pause", &json!({ "reason": "switchover" }).to_string());
    assert_eq!(code, 200, "{asked}");
    wait_until("it is paused", || spool.root().join("paused").exists());
    let id = api.create("echo at last");
    wait_until("the job says why it waits", || {
        let reason = api.get(&format!("/api/jobs/{id}")).1["job"]["waiting_for"].clone();
        reason.as_str().is_some_and(|reason| reason.contains("switchover (tester)"))
    });
    // What is asked of a runner that is down is done when it is started.
    runner.terminate();
    wait_until("it is seen to be down", || api.get("/healthz").1["runner_up"] == false);
    let (code, asked) = api.post("/api/runner/resume", "");
    assert_eq!(code, 200, "{asked}");
    assert!(asked["message"].as_str().unwrap().contains("when it is started"), "{asked}");
    let _runner = spool.runner();
    assert_eq!(spool.wait_final(id.try_into().unwrap()).state, State::Succeeded);
    assert!(!spool.root().join("paused").exists());
}

#[test]
fn readers_and_letters_do_not_wait_for_submissions_that_hang() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = client::start(&spool);
    let id = api.create(&format!("echo up; {ASK} ask sure"));
    api.wait_prompt(id, 1);
    let sequence = std::fs::File::open(spool.root().join("sequence")).unwrap();
    sequence.lock_exclusive().unwrap();
    std::thread::scope(|scope| {
        let stuck: Vec<_> = (0..100).map(|_| scope.spawn(|| api.post("/api/jobs", &script("echo late")).0)).collect();
        assert_eq!(api.get("/api/jobs").0, 200);
        assert_eq!(api.get("/healthz").0, 200);
        assert!(api.log_has(id, "up"));
        assert_eq!(api.answer(id, 1, "y").0, 200);
        assert_eq!(spool.wait_final(id.try_into().unwrap()).state, State::Succeeded);
        drop(sequence);
        let codes: Vec<u16> = stuck.into_iter().map(|client| client.join().unwrap()).collect();
        assert!(codes.iter().all(|code| [201, 503].contains(code)), "{codes:?}");
    });
}
