//! The recovery table, row by row: each state is made by file surgery, a runner meets it, and a second meeting changes
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, json};
use spiderpig::runner::process;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::job::LockedJob;
use spiderpig::spool::lock::{RunnerLock, SlotLock};
use spiderpig::spool::log::{Exit, RecordKind};
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::plan::Plan;
use spiderpig::spool::request::JobRequest;
use spiderpig::spool::status::{State, Status};
use spiderpig::spool::submitter::TrustedSubmitters;
use spiderpig::spool::{JobId, Spool, Time, queue};

use crate::support::{TestSpool, is_alive, wait_until};

/// What the command of a surgical job leaves when it was executed: a line in this file.
fn executed(spool: &TestSpool) -> String {
    fs::read_to_string(spool.path().join("executed")).unwrap_or_default()
}

/// A spool on which a runner has been, with one submitted job that marks its execution.
fn spool_with_job() -> (TestSpool, JobId) {
    let spool = TestSpool::new();
    spool.runner().terminate();
    let mark = spool.path().join("executed");
    let id = spool.submit_script(&format!("echo x >> {}", mark.display()));
    (spool, id)
}

fn plan(spool: &TestSpool, id: JobId) -> Plan {
    Plan {
        version: 1,
        id,
        user: "alice".into(),
        arguments: vec!["sh".into(), "-c".into(), format!("echo x >> {}", spool.path().join("executed").display())],
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        marker: format!("surgery-{}-{id}", std::process::id()),
        working_directory: "/".into(),
        umask: 0o022,
        time_limit_ms: None,
        stop_grace_ms: 200,
        max_log: 1 << 20,
        cgroup: None,
        outcomes: vec![],
        quiet_after_ms: None,
        stop_leftovers: true,
        lane: "default".into(),
        slot: Some(1),
        lock: None,
        trusted_submitters: TrustedSubmitters::from_names(&[]),
        shown_params: Map::new(),
        watch: true,
        rescan_ms: 1000,
    }
}

/// Claims the queued job by hand up to the commit point, and leaves it there without a leader.
fn claim(spool: &TestSpool, id: JobId) -> Status {
    let library = spool.spool();
    let runner = RunnerLock::take(&library).unwrap();
    let bytes = fs::read(library.queued(id)).unwrap();
    let request = JobRequest::parse(&bytes).unwrap();
    let plan = plan(spool, id);
    let status = Status::starting(&plan, &request.job_type, vec!["sh".into()], request.submitted_at);
    LockedJob::claim(&library, &runner, &bytes, &plan, &status).unwrap();
    status
}

fn locked(spool: &TestSpool, id: JobId) -> LockedJob {
    LockedJob::try_lock(&spool.spool(), id).unwrap().unwrap()
}

/// Brings a claimed job to the point behind the start group, with a status that says it runs.
fn start(spool: &TestSpool, id: JobId) -> Status {
    let mut status = claim(spool, id);
    status.state = State::Running;
    status.started_at = Some(Time::now());
    status.boot_id = process::boot_id();
    locked(spool, id).write_status(&status).unwrap();
    queue::remove(&spool.spool(), id).unwrap();
    status
}

fn log(spool: &TestSpool, id: JobId, kinds: &[RecordKind]) {
    let job = locked(spool, id);
    let mut writer = job.log_writer().unwrap();
    for kind in kinds {
        writer.record(kind);
    }
    writer.sync().unwrap();
}

/// Everything in a directory tree that recovery could change, but for what the daemon says of itself.
fn picture(spool: &Spool) -> BTreeMap<String, Vec<u8>> {
    fn walk(directory: &Path, prefix: &str, picture: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().display());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), picture);
            } else if name != "runner.json" {
                picture.insert(name, fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(spool.root(), "", &mut all);
    all
}

/// Lets a runner bring the job to its end, and a second one meet it again.
fn recover(spool: &TestSpool, id: JobId) -> Status {
    let runner = spool.runner();
    let status = spool.wait_final(id);
    wait_until("it is tidied", || !spool.root().join("running").join(id.to_string()).exists());
    runner.terminate();
    let before = picture(&spool.spool());
    let again = spool.runner();
    // The runner is up before its first look; a job submitted now is claimed only after it.
    let probe = spool.submit("noop", json!({}));
    spool.wait_final(probe);
    again.terminate();
    let mut after = picture(&spool.spool());
    after.retain(|name, _| before.contains_key(name));
    let mut differences: Vec<&String> = before.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
    differences.retain(|name| !["history.jsonl", "sequence"].contains(&name.as_str()));
    assert!(differences.is_empty(), "recovering twice changed {differences:?}");
    assert_eq!(spool.history_lines(id), 1);
    status
}

#[test]
fn a_queued_job_waits_and_is_started() {
    let (spool, id) = spool_with_job();
    assert_eq!(recover(&spool, id).state, State::Succeeded);
    assert_eq!(executed(&spool), "x\n");
}

#[test]
fn a_claim_that_was_not_durable_goes_back_to_the_queue_and_runs_once() {
    for damage in ["nothing", "status.json", "job.json", "plan.json", "empty plan.json", "reserve"] {
        let (spool, id) = spool_with_job();
        claim(&spool, id);
        let directory = spool.job(id).directory().to_owned();
        match damage {
            "nothing" => {}
            "empty plan.json" => fs::write(directory.join("plan.json"), "").unwrap(),
            name => fs::remove_file(directory.join(name)).unwrap(),
        }
        assert_eq!(recover(&spool, id).state, State::Succeeded, "{damage}");
        assert_eq!(executed(&spool), "x\n", "{damage}");
    }
}

#[test]
fn a_job_that_died_behind_the_start_group_leaves_the_queue_and_is_not_run_again() {
    let (spool, id) = spool_with_job();
    let bytes = fs::read(spool.spool().queued(id)).unwrap();
    start(&spool, id);
    spool.drop_file(&format!("queue/{id}.json"), bytes);
    let status = recover(&spool, id);
    assert_eq!(status.state, State::Lost);
    assert!(status.reason.unwrap().contains("unknown"));
    assert_eq!(executed(&spool), "");
    assert!(spool.names("queue").is_empty());
    assert!(spool.names("rejected").is_empty());
}

#[test]
fn a_number_that_comes_twice_is_rejected_and_the_job_that_has_it_is_not_touched() {
    let (spool, id) = spool_with_job();
    let original = fs::read_to_string(spool.spool().queued(id)).unwrap();
    start(&spool, id);
    let other = original.replace("\"user\":\"alice\"", "\"user\":\"mallory\"");
    spool.drop_file(&format!("queue/{id}.json"), &other);
    assert_eq!(recover(&spool, id).user, "alice");
    assert!(spool.wait_rejected(&format!("{id}.reason")).contains("was used before"));
    assert_eq!(fs::read_to_string(spool.root().join(format!("rejected/{id}.json"))).unwrap(), other);

    // In the history now: the very same bytes, which a power cut can bring back, are removed and not run again.
    let runner = spool.runner();
    spool.drop_file(&format!("queue/{id}.json"), &original);
    wait_until("the queue is empty", || spool.names("queue").is_empty());
    assert_eq!(spool.names("rejected").len(), 2);
    assert_eq!(fs::read_to_string(spool.job(id).directory().join("job.json")).unwrap(), original);
    assert_eq!(executed(&spool), "");
    runner.terminate();
}

#[test]
fn a_rejection_that_was_cut_short_is_not_numbered_again() {
    let (spool, id) = spool_with_job();
    fs::write(spool.spool().queued(id), "no job").unwrap();
    fs::hard_link(spool.spool().queued(id), spool.root().join(format!("rejected/{id}.json"))).unwrap();
    let _runner = spool.runner();
    spool.wait_rejected(&format!("{id}.reason"));
    wait_until("it is out of the queue", || spool.names("queue").is_empty());
    assert_eq!(spool.names("rejected"), [format!("{id}.json"), format!("{id}.reason")]);
}

#[test]
fn a_claim_that_was_not_committed_is_removed() {
    let (spool, id) = spool_with_job();
    claim(&spool, id);
    let library = spool.spool();
    fs::rename(library.job(id), library.uncommitted_job(id)).unwrap();
    assert_eq!(recover(&spool, id).state, State::Succeeded);
    assert_eq!(executed(&spool), "x\n");
    assert!(!library.uncommitted_job(id).exists());
}

#[test]
fn a_durable_claim_that_was_never_executed_is_started() {
    let (spool, id) = spool_with_job();
    claim(&spool, id);
    queue::remove(&spool.spool(), id).unwrap();
    fs::remove_file(spool.job(id).directory().join("status.json")).unwrap();
    assert_eq!(recover(&spool, id).state, State::Succeeded);
    assert_eq!(executed(&spool), "x\n");
}

#[test]
fn a_durable_claim_is_cancelled_by_a_signal_that_waits_even_while_paused() {
    let (spool, id) = spool_with_job();
    claim(&spool, id);
    queue::remove(&spool.spool(), id).unwrap();
    fs::write(spool.root().join("paused"), "maintenance\n").unwrap();
    spool.signal(id, "carol", JobSignal::Interrupt);
    let runner = spool.runner();
    let status = spool.wait_final(id);
    assert_eq!(status.reason.as_deref(), Some("cancelled by carol before it started"));
    assert_eq!((status.state, executed(&spool).as_str()), (State::Cancelled, ""));
    wait_until("the letter is gone", || spool.names("inbox").is_empty());
    runner.terminate();
}

#[test]
fn a_durable_claim_waits_for_a_pause_and_for_a_slot_that_a_stranger_holds() {
    let (spool, id) = spool_with_job();
    claim(&spool, id);
    queue::remove(&spool.spool(), id).unwrap();
    let pause = spool.root().join("paused");
    fs::write(&pause, "maintenance\n").unwrap();
    let held = SlotLock::try_take(&spool.spool(), "default", 1).unwrap().unwrap();
    let runner = spool.runner();
    let waiting_for = |expected: &str| {
        wait_until(expected, || {
            let state = fs::read_to_string(spool.root().join("runner.json")).unwrap_or_default();
            state.contains(expected)
        });
    };
    waiting_for("the runner is paused: maintenance");
    fs::remove_file(&pause).unwrap();
    waiting_for("slot 1 of lane default is locked by another process");
    assert_eq!(executed(&spool), "");
    drop(held);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    runner.terminate();
}

#[test]
fn a_job_that_died_while_finishing_is_finished_from_its_exit_record() {
    let exits = [
        (Exit { status: Some(0), signal: None }, State::Succeeded, "interrupted by carol, and exited with status 0"),
        (Exit { status: Some(7), signal: None }, State::Failed, "interrupted by carol"),
    ];
    for (exit, state, reason) in exits {
        for unreadable in [false, true] {
            let (spool, id) = spool_with_job();
            start(&spool, id);
            let interrupted = RecordKind::Signal { user: "carol".into(), signal: "interrupt".into() };
            log(&spool, id, &[interrupted, RecordKind::Exit(exit)]);
            if unreadable {
                fs::write(spool.job(id).directory().join("status.json"), "").unwrap();
            }
            let status = recover(&spool, id);
            assert_eq!((status.state, status.exit_status), (state, exit.status));
            assert_eq!(status.reason.as_deref(), Some(reason));
            assert_eq!(executed(&spool), "");
        }
    }
}

#[test]
fn a_job_whose_supervisor_died_is_lost_and_nothing_of_it_is_left() {
    let (spool, id) = spool_with_job();
    let marker = start(&spool, id).marker.unwrap();
    let stubborn = "trap '' INT; sleep 600 & echo ready; wait";
    let mut child = child_with_marker(Command::new("setsid").args(["sh", "-c", stubborn]), &marker);
    let runner = spool.runner();
    let status = spool.wait_final(id);
    assert_eq!(status.state, State::Lost);
    assert!(status.reason.unwrap().contains("processes of it were left and were stopped"));
    let ended = child.try_wait().unwrap();
    assert!(ended.is_some(), "the child is gone when the status is final");
    assert!(!is_alive(i32::try_from(child.id()).unwrap()));
    runner.terminate();
    assert_eq!(recover(&spool, id).state, State::Lost);
}

fn child_with_marker(command: &mut Command, marker: &str) -> std::process::Child {
    let mut child =
        command.env("SPIDERPIG_JOB_MARKER", marker).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    child
}

#[test]
fn the_slot_of_a_lost_job_is_not_used_before_it_is_final() {
    let (spool, id) = spool_with_job();
    let marker = start(&spool, id).marker.unwrap();
    let next = spool.submit_script("echo next");
    let stubborn = "trap '' INT; sleep 600 & echo ready; wait";
    let mut child = child_with_marker(Command::new("sh").args(["-c", stubborn]), &marker);
    let runner = spool.runner();
    let status = spool.wait_final(next);
    let lost = spool.status(id).unwrap();
    assert_eq!(lost.state, State::Lost);
    assert!(lost.finished_at <= status.started_at, "{:?} {:?}", lost.finished_at, status.started_at);
    child.wait().unwrap();
    runner.terminate();
}

#[test]
fn a_job_that_died_while_being_tidied_is_tidied() {
    let (spool, id) = spool_with_job();
    let mut status = start(&spool, id);
    log(&spool, id, &[RecordKind::Response { user: "alice".into(), response: "y".into(), interaction: 1 }]);
    status.finish(State::Succeeded, Outcome::Succeeded, None);
    status.log_records = 1;
    locked(&spool, id).write_final_status(&status).unwrap();
    spool.answer(id, 1, "alice", "y");
    spool.answer(id, 2, "bob", "n");
    std::os::unix::fs::symlink(format!("../jobs/{id}"), spool.root().join(format!("running/{id}"))).unwrap();
    assert_eq!(recover(&spool, id), status);
    assert_eq!(spool.notes(id), ["answer of bob to prompt 2 refused: the job had ended"]);
    assert!(spool.names("inbox").is_empty());
    assert!(spool.names("running").is_empty());
}

#[test]
fn a_letter_for_a_job_in_the_history_is_noted_or_only_removed() {
    let (spool, id) = spool_with_job();
    let runner = spool.runner();
    spool.wait_final(id);
    spool.answer(id, 1, "bob", "n");
    wait_until("the letter is gone", || spool.names("inbox").is_empty());
    assert_eq!(spool.notes(id), ["answer of bob to prompt 1 refused: the job had ended"]);
    fs::remove_dir_all(spool.job(id).directory()).unwrap();
    spool.signal(id, "carol", JobSignal::Kill);
    wait_until("the letter is gone", || spool.names("inbox").is_empty());
    wait_until("it is logged", || runner.log().contains("removed: the job has finished"));
    runner.terminate();
}

#[test]
fn the_view_in_running_is_put_right() {
    let (spool, id) = spool_with_job();
    let running = spool.root().join("running");
    std::os::unix::fs::symlink("../jobs/999", running.join("999")).unwrap();
    fs::write(running.join("notes"), "").unwrap();
    assert_eq!(recover(&spool, id).state, State::Succeeded);
    assert!(spool.names("running").is_empty());
}

#[test]
fn damage_is_left_alone_and_reported() {
    let (spool, id) = spool_with_job();
    claim(&spool, id);
    queue::remove(&spool.spool(), id).unwrap();
    let directory = spool.job(id).directory().to_owned();
    for name in ["status.json", "plan.json"] {
        fs::write(directory.join(name), "damaged").unwrap();
    }
    let next = spool.submit_script("echo next");
    let runner = spool.runner();
    assert_eq!(spool.wait_final(next).state, State::Succeeded, "it does not stop the others");
    wait_until("it is reported", || {
        fs::read_to_string(spool.root().join("runner.json")).unwrap_or_default().contains("stop them by hand")
    });
    assert_eq!(fs::read_to_string(directory.join("status.json")).unwrap(), "damaged");
    runner.terminate();
}

#[test]
fn files_of_writers_that_died_are_removed_after_an_hour() {
    let (spool, id) = spool_with_job();
    let incoming = spool.root().join("incoming");
    fs::write(incoming.join("old"), "").unwrap();
    fs::write(incoming.join("new"), "").unwrap();
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    fs::File::options().write(true).open(incoming.join("old")).unwrap().set_modified(hours_ago).unwrap();
    recover(&spool, id);
    assert_eq!(spool.names("incoming"), ["new"]);
}

#[test]
fn failures_to_start_are_counted_over_restarts() {
    let (spool, id) = spool_with_job();
    let path = spool.root().join("runner.json");
    let state = fs::read_to_string(&path).unwrap();
    let counted = state.replace("\"failed_starts\":{}", &format!("\"failed_starts\":{{\"{id}\":3}}"));
    assert_ne!(state, counted);
    fs::write(path, counted).unwrap();
    let status = recover(&spool, id);
    assert_eq!((status.state, executed(&spool).as_str()), (State::Failed, ""));
    assert!(status.reason.unwrap().starts_with("could not be started in 3 attempts"));
}
