//! The life of a job from the queue to the history.

use serde_json::json;
use spiderpig::spool::inbox::{Answered, JobSignal};
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;

use crate::support::{ASK, TestSpool, is_alive, wait_until};

#[test]
fn a_job_runs_and_is_recorded() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script("echo out; echo err >&2; exit 3");
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(3)));
    assert_eq!(status.message.as_deref(), Some("Job 1 finished with status 3"));
    assert_eq!(spool.lines(id), ["out", "err"]);
    assert_eq!(usize::try_from(status.log_records).unwrap(), spool.log(id).len());
    assert_eq!(std::fs::read_to_string(spool.job(id).directory().join("output.log")).unwrap(), "out\nerr\n");
    wait_until("the view is empty", || spool.names("running").is_empty());
    assert!(spool.names("queue").is_empty());
    assert!(spool.names("incoming").is_empty());
    assert_eq!(spool.history_lines(id), 1);
}

#[test]
fn a_job_that_cannot_be_executed_fails_with_the_reason_in_status_and_log() {
    let script = tempfile::NamedTempFile::new().unwrap();
    let path = script.path().display();
    let spool = TestSpool::with_configuration(&format!(
        "[job_types.missing]\ncommand = [\"/no/such/program\"]\n\
         [job_types.not-in-path]\ncommand = [\"no-such-program-anywhere\"]\n\
         [job_types.not-executable]\ncommand = [\"{path}\"]\n\
         [job_types.nowhere]\ncommand = [\"true\"]\nworking_directory = \"/no/such/directory\"\n\
         [job_types.secretless]\ncommand = [\"true\"]\nenv_file = \"/no/such/file\"\n"
    ));
    let _runner = spool.runner();
    for (job_type, expected) in [
        ("missing", "the program /no/such/program does not exist"),
        ("not-in-path", "the program `no-such-program-anywhere` is not in the job's PATH"),
        ("not-executable", "is not executable by the runner's account"),
        ("nowhere", "the working directory /no/such/directory does not exist"),
        ("secretless", "its env_file cannot be used"),
    ] {
        let id = spool.submit(job_type, json!({}));
        let status = spool.wait_final(id);
        assert_eq!(status.state, State::Failed, "{job_type}");
        let reason = status.reason.unwrap();
        assert!(reason.contains(expected), "{job_type}: {reason}");
        assert!(spool.notes(id).iter().any(|note| note.contains(expected)), "{job_type}: {:?}", spool.notes(id));
    }
}

#[test]
fn a_prompt_is_answered_once_and_the_winner_is_recorded() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script(&format!("{ASK} ask one; ask two"));
    let status = spool.wait_prompt(id, 1);
    assert_eq!(status.interaction.unwrap().prompt, "one");
    assert_eq!(spool.answer(id, 1, "alice", "y"), Answered::First);
    spool.wait_prompt(id, 2);
    assert_eq!(spool.answer(id, 1, "bob", "n"), Answered::TooLate, "the name stays taken until the job has ended");
    assert_eq!(spool.answer(id, 2, "bob", "n"), Answered::First);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id), ["one [y/n]: ", "got:y", "two [y/n]: ", "got:n"]);
    let responses: Vec<_> = spool
        .log(id)
        .into_iter()
        .filter_map(|record| match record.kind {
            RecordKind::Response { user, response, interaction } => Some((interaction, user, response)),
            _ => None,
        })
        .collect();
    assert_eq!(responses, [(1, "alice".into(), "y".into()), (2, "bob".into(), "n".into())]);
    wait_until("the inbox is empty", || spool.names("inbox").is_empty());
}

#[test]
fn an_interrupt_stops_a_job_and_its_user_is_named() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script("echo up; exec sleep 600");
    wait_until("it is up", || spool.lines(id) == ["up"]);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.signal), (State::Failed, Some(2)));
    assert_eq!(status.reason.as_deref(), Some("interrupted by carol"));
    assert_eq!(status.outcome, Some(Outcome::Stopped));
    assert!(spool.names("inbox").is_empty());
}

#[test]
fn a_kill_reaches_a_child_in_another_session() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script("setsid sh -c 'trap \"\" INT TERM; echo $$; exec sleep 600' & wait; sleep 600");
    wait_until("the child has told its number", || !spool.lines(id).is_empty());
    let child: i32 = spool.lines(id)[0].parse().unwrap();
    spool.signal(id, "carol", JobSignal::Kill);
    let status = spool.wait_final(id);
    assert_eq!((status.signal, status.reason.as_deref()), (Some(9), Some("killed by carol")));
    assert!(!is_alive(child));
}

#[test]
fn a_queued_job_is_cancelled_while_its_lane_is_busy() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let first = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(first, 1);
    let second = spool.submit_script("echo never");
    spool.signal(second, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(second);
    assert_eq!(status.state, State::Cancelled);
    assert_eq!(status.reason.as_deref(), Some("cancelled by carol before it started"));
    assert!(spool.lines(second).is_empty());
    assert_eq!(spool.status(first).unwrap().state, State::Waiting);
    spool.answer(first, 1, "alice", "y");
    assert_eq!(spool.wait_final(first).state, State::Succeeded);
}

#[test]
fn one_lane_runs_one_job_at_a_time_and_a_wide_one_several() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let narrow: Vec<_> = (0..2).map(|_| spool.submit_script(&format!("{ASK} ask go"))).collect();
    let ask = json!({ "script": format!("{ASK} ask go") });
    let wide: Vec<_> = (0..5).map(|_| spool.submit("parallel", ask.clone())).collect();
    for id in wide[..4].iter().chain(&narrow[..1]) {
        spool.wait_prompt(*id, 1);
    }
    assert_eq!(spool.names("queue"), [format!("{}.json", narrow[1]), format!("{}.json", wide[4])]);
    spool.answer(wide[2], 1, "alice", "y");
    spool.wait_prompt(wide[4], 1);
    assert_eq!(spool.names("queue"), [format!("{}.json", narrow[1])]);
}
