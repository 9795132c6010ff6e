//! Pausing the runner, by a letter and by hand.

use std::fs;

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::status::State;

use crate::support::{ASK, TestSpool, wait_until};

/// Waits until the runner says why a job waits.
#[track_caller]
fn wait_reason(spool: &TestSpool, id: JobId, reason: &str) {
    wait_until(&format!("job {id} waits: {reason}"), || {
        let text = fs::read(spool.root().join("runner.json")).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        state["lanes"]["default"]["waiting"][id.to_string()].as_str() == Some(reason)
    });
    assert!(!spool.job(id).exists());
}

fn letter(spool: &TestSpool, what: &str, text: &serde_json::Value) {
    spool.drop_file(&format!("inbox/runner.{what}.x.json"), text.to_string());
}

#[test]
fn letters_pause_and_resume() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let running = spool.submit("parallel", json!({ "script": format!("{ASK} ask go") }));
    spool.wait_prompt(running, 1);
    letter(&spool, "pause", &json!({ "user": "alice", "reason": "datacenter switchover" }));
    let paused = spool.root().join("paused");
    wait_until("it is paused", || paused.exists());
    assert_eq!(fs::read_to_string(&paused).unwrap(), "datacenter switchover (alice)\n");
    let id = spool.submit_script("echo at last");
    wait_reason(&spool, id, "the runner is paused: datacenter switchover (alice)");
    spool.answer(running, 1, "bob", "y");
    assert_eq!(spool.wait_final(running).state, State::Succeeded, "a running job goes on");
    letter(&spool, "resume", &json!({ "user": "bob" }));
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(!paused.exists());
    wait_until("the letters are gone", || spool.names("inbox").is_empty());
}

#[test]
fn an_empty_file_pauses_and_its_removal_resumes() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    let _runner = spool.runner();
    let paused = spool.root().join("paused");
    fs::write(&paused, "").unwrap();
    let id = spool.submit_script("echo at last");
    wait_reason(&spool, id, "the runner is paused: ");
    fs::remove_file(&paused).unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn a_letter_that_is_no_pause_is_removed_and_nothing_pauses() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    letter(&spool, "pause", &json!({ "user": "alice", "reason": "x", "until": "noon" }));
    wait_until("it is removed", || spool.names("inbox").is_empty());
    assert_eq!(spool.wait_final(spool.submit("noop", json!({}))).state, State::Succeeded);
}

#[test]
fn a_pause_that_waits_for_the_runner_counts_before_its_first_claim() {
    let spool = TestSpool::new();
    spool.runner().terminate();
    let id = spool.submit_script("echo never");
    letter(&spool, "pause", &json!({ "user": "alice", "reason": "wait" }));
    let _runner = spool.runner();
    wait_reason(&spool, id, "the runner is paused: wait (alice)");
    spool.signal(id, "alice", JobSignal::Interrupt);
    assert_eq!(spool.wait_final(id).state, State::Cancelled, "a paused job can be cancelled");
}
