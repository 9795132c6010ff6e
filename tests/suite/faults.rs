//! Every single write of the claim, the start, the finish and the tidying, broken in turn: the process dies there, or
//! the write fails. No job may be lost, and none executed twice.

use std::fs;

use spiderpig::spool::status::State;

use crate::support::{Daemon, TestSpool, wait_for, wait_until};

/// More writes than one job takes in any of the processes.
const LIMIT: u32 = 80;

/// Runs one job with a fault at write `at` of the processes in a role. Returns whether the fault was met.
fn run_with_fault(role: &str, at: u32, effect: &str) -> bool {
    let context = format!("{role}={at}:{effect}");
    let spool = TestSpool::new();
    spool.runner().terminate();
    let mark = spool.path().join("executed");
    let id = spool.submit_script(&format!("echo x >> {}", mark.display()));

    let mut command = spool.command("spiderpig-runner");
    command.env("SPIDERPIG_FAULT", &context);
    let mut daemon = spool.daemon(&mut command, "faulty.log");
    let finished = |spool: &TestSpool| spool.history_lines(id) > 0 && spool.names("running").is_empty();
    let mut met = false;
    wait_until(&format!("{context}: the job ends or the runner does"), || {
        met |= daemon.child.try_wait().unwrap().is_some();
        met || finished(&spool) || spool.root().join("runner.json").exists() && stuck(&spool)
    });
    met |= effect == "fail" && daemon.log().contains("os error 5") || !spool.notes(id).is_empty();
    met |= daemon.log().contains("supervisor died") || daemon.log().contains("could not be started");
    end(daemon);

    let _healthy = spool.runner();
    let status = wait_for(&format!("{context}: the job ends"), || {
        finished(&spool).then(|| spool.status(id)).flatten().filter(|status| status.state.is_final())
    });
    let executed = fs::read_to_string(&mark).unwrap_or_default().lines().count();
    assert!(executed <= 1, "{context}: executed {executed} times");
    assert_eq!(spool.history_lines(id), 1, "{context}");
    assert!(spool.names("queue").is_empty(), "{context}");
    match status.state {
        State::Succeeded => assert_eq!(executed, 1, "{context}"),
        State::Lost => assert_eq!(effect, "die", "{context}: only a death loses the end of a job"),
        // A supervisor that breaks at the same place three times in a row gives the job up before it starts.
        State::Failed => assert_eq!(executed, 0, "{context}: {:?}", status.reason),
        other => panic!("{context}: {other:?}"),
    }
    met
}

/// A runner that met a fault reports it, and goes on with the next look.
fn stuck(spool: &TestSpool) -> bool {
    fs::read_to_string(spool.root().join("runner.json")).unwrap_or_default().contains("os error 5")
}

fn end(mut daemon: Daemon) {
    let _ = daemon.child.kill();
    let _ = daemon.child.wait();
}

fn break_every_write(role: &str, effect: &str) {
    let met = (1..=LIMIT).filter(|at| run_with_fault(role, *at, effect)).count();
    assert!(met > 10, "{role} {effect}: only {met} faults were met");
    assert!(!run_with_fault(role, 10_000, effect), "a fault that is never reached was met");
}

#[test]
fn a_runner_that_dies_at_any_write_loses_nothing() {
    break_every_write("runner", "die");
}

#[test]
fn a_runner_with_a_failing_write_loses_nothing() {
    break_every_write("runner", "fail");
}

#[test]
fn a_supervisor_that_dies_at_any_write_loses_nothing() {
    break_every_write("supervise", "die");
}

#[test]
fn a_supervisor_with_a_failing_write_loses_nothing() {
    break_every_write("supervise", "fail");
}
