//! What others put into the spool: letters that the runner may not read, directories, files that change while they wait.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use spiderpig::spool::runner_state::RunnerState;
use spiderpig::spool::status::State;
use spiderpig::spool::{JobId, lock};

use crate::support::{ASK, Daemon, TestSpool, wait_until};

/// `nobody` and its group, on every Linux.
const NOBODY: u32 = 65534;

/// Starts a runner as `nobody`, whose group is the spool's.
fn runner_of_nobody(spool: &TestSpool) -> Daemon {
    spool.start_runner(&mut spool.command_as(NOBODY, "spiderpig-runner"))
}

/// Submits a job as root, who is a stranger to this runner.
fn submit(spool: &TestSpool, script: &str) -> JobId {
    let id = spiderpig::spool::sequence::take(&spool.spool()).unwrap();
    let job = serde_json::json!({
        "version": 1, "id": id, "type": "sh", "params": { "script": script },
        "user": "root", "submitted_at": "2026-11-23T15:38:46.123Z",
    });
    spool.drop_file(&format!("queue/{id}.json"), job.to_string());
    id
}

fn drop_unreadable(spool: &TestSpool, path: &str) {
    let draft = spool.path().join("draft");
    fs::write(&draft, r#"{"user":"root","signal":"kill"}"#).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(draft, spool.root().join(path)).unwrap();
}

#[test]
fn a_letter_that_the_runner_may_not_read_is_refused_and_makes_room() {
    let spool = TestSpool::new();
    let _runner = runner_of_nobody(&spool);
    let id = submit(&spool, &format!("{ASK} ask go; id -un"));
    spool.wait_prompt(id, 1);
    let reason = "refused: the runner's account cannot read it; use mode 0640 and the spool's group";
    for (name, note) in [
        ("signal.x", format!("signal of root {reason}")),
        ("response.1", format!("answer of root to prompt 1 {reason}")),
    ] {
        drop_unreadable(&spool, &format!("inbox/{id}.{name}.json"));
        wait_until("it is refused", || spool.notes(id).last() == Some(&note));
        wait_until("it is removed", || spool.names("inbox").is_empty());
    }
    spool.drop_file(&format!("inbox/{id}.response.1.json"), r#"{"user":"root","response":"y"}"#);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id).last().unwrap(), "nobody");
}

#[test]
fn a_letter_that_the_runner_may_not_read_keeps_no_job_from_starting_or_ending() {
    let spool = TestSpool::new();
    let _runner = runner_of_nobody(&spool);
    let first = submit(&spool, &format!("{ASK} ask go"));
    spool.wait_prompt(first, 1);
    let second = submit(&spool, &format!("{ASK} ask go"));
    drop_unreadable(&spool, &format!("inbox/{second}.signal.x.json"));
    spool.drop_file(&format!("inbox/{first}.response.1.json"), r#"{"user":"root","response":"y"}"#);
    assert_eq!(spool.wait_final(first).state, State::Succeeded);
    spool.wait_prompt(second, 1);
    drop_unreadable(&spool, &format!("inbox/{second}.response.2.json"));
    spool.drop_file(&format!("inbox/{second}.response.1.json"), r#"{"user":"root","response":"y"}"#);
    assert_eq!(spool.wait_final(second).state, State::Succeeded);
    wait_until("the inbox is empty", || spool.names("inbox").is_empty());
}

#[test]
fn who_is_not_trusted_speaks_only_for_himself() {
    let spool = TestSpool::new();
    let _runner = runner_of_nobody(&spool);
    let id = submit(&spool, &format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    spool.drop_file(&format!("inbox/{id}.response.1.json"), r#"{"user":"alice","response":"y"}"#);
    let refused = "answer of root to prompt 1 refused: it names the user `alice`, but the file belongs to `root`";
    wait_until("it is refused", || spool.notes(id) == [refused]);
    assert_eq!(spool.status(id).unwrap().state, State::Waiting);
}

#[test]
fn a_directory_among_the_letters_is_left_alone() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    fs::create_dir(spool.root().join(format!("inbox/{id}.signal.x.json"))).unwrap();
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.notes(id), [""; 0]);
    let next = spool.submit_script("true");
    assert_eq!(spool.wait_final(next).state, State::Succeeded, "its lane is free");
}

#[test]
fn a_directory_in_incoming_keeps_nothing_else_from_being_cleaned_and_is_a_problem_while_it_lasts() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    spool.runner().terminate();
    let incoming = spool.root().join("incoming");
    let directories = ["a", "z"].map(|name| incoming.join(name));
    for path in &directories {
        fs::create_dir(path).unwrap();
    }
    let files = ["b", "y"].map(|name| incoming.join(name));
    for path in &files {
        fs::write(path, "").unwrap();
    }
    for path in directories.iter().chain(&files) {
        let long_ago = SystemTime::now() - Duration::from_hours(2);
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let _runner = spool.runner();
    wait_until("the files are gone", || spool.names("incoming") == ["a", "z"]);
    let problems = || RunnerState::read(&spool.spool()).unwrap().unwrap().problems;
    wait_until("the directories are problems", || problems().len() == 2);
    for path in &directories {
        fs::remove_dir(path).unwrap();
    }
    wait_until("there are none any more", || problems().is_empty());
}

#[test]
fn a_queued_file_that_is_replaced_gets_a_slot_of_its_new_lane() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let first = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(first, 1);
    let second = spool.submit_script("true");
    wait_until("it is admitted", || {
        let state = RunnerState::read(&spool.spool()).unwrap().unwrap();
        state.lanes["default"].waiting.contains_key(&second)
    });
    let job = serde_json::json!({
        "version": 1, "id": second, "type": "parallel", "params": { "script": format!("{ASK} ask go") },
        "user": "alice", "submitted_at": "2026-11-23T15:38:46.123Z",
    });
    spool.drop_file(&format!("queue/{second}.json"), job.to_string());
    spool.answer(first, 1, "alice", "y");
    spool.wait_prompt(second, 1);
    let plan = spool.job(second).plan().unwrap();
    assert_eq!((plan.lane.as_str(), plan.slot), ("wide", Some(1)));
    assert!(lock::is_held(&spool.spool().lane_slot("wide", 1)).unwrap());
    wait_until("its old lane is free", || !lock::is_held(&spool.spool().lane_slot("default", 1)).unwrap());
}
